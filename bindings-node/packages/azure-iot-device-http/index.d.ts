import { Client } from 'azure-iot-device';

export { Http } from 'azure-iot-device/lib/transports';

/** A client that speaks HTTPS. */
export function clientFromConnectionString(connectionString: string): Client;
