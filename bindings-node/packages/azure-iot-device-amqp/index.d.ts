import { Client } from 'azure-iot-device';

export { Amqp, AmqpWs } from 'azure-iot-device/lib/transports';

/** A client that speaks AMQP over TLS. */
export function clientFromConnectionString(connectionString: string): Client;
