import { Client } from 'azure-iot-device';

export { Mqtt, MqttWs, Amqp, AmqpWs } from 'azure-iot-device/lib/transports';

/** A client that speaks MQTT over TLS. */
export function clientFromConnectionString(connectionString: string): Client;
