/// <reference types="node" />
import { EventEmitter } from 'events';
import { AuthenticationProvider } from 'azure-iot-common';
import { Client, DeviceClientOptions, DeviceTransport } from 'azure-iot-device';

/** MQTT 3.1.1 over TLS, port 8883. */
export class Mqtt extends EventEmitter implements DeviceTransport {
  constructor(authenticationProvider: AuthenticationProvider);
  connect(done?: (err?: Error, result?: any) => void): void;
  disconnect(done?: (err?: Error, result?: any) => void): void;
  updateSharedAccessSignature(sharedAccessSignature: string, done: (err?: Error, result?: any) => void): void;
  setOptions(options: DeviceClientOptions, done?: (err?: Error, result?: any) => void): void;
  getTwin(callback: (err?: Error, twin?: any) => void): void;
  updateTwinReportedProperties(patch: any, callback: (err?: Error) => void): void;
  enableTwinDesiredPropertiesUpdates(callback: (err?: Error) => void): void;
  disableTwinDesiredPropertiesUpdates(callback: (err?: Error) => void): void;
}

/** MQTT 3.1.1 over a secure WebSocket, port 443. */
export class MqttWs extends Mqtt {}

/** A client that speaks MQTT over TLS. */
export function clientFromConnectionString(connectionString: string): Client;
