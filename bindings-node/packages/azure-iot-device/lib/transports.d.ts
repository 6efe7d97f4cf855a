/// <reference types="node" />
import { EventEmitter } from 'events';
import { AuthenticationProvider } from 'azure-iot-common';
import { DeviceClientOptions, DeviceTransport } from 'azure-iot-device';

declare abstract class SessionTransport extends EventEmitter implements DeviceTransport {
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

/** MQTT 3.1.1 over TLS, port 8883. */
export class Mqtt extends SessionTransport {}

/** MQTT 3.1.1 over a secure WebSocket, port 443. */
export class MqttWs extends Mqtt {}

/** AMQP 1.0 over TLS, port 5671. */
export class Amqp extends SessionTransport {}

/** AMQP 1.0 over a secure WebSocket, port 443. */
export class AmqpWs extends Amqp {}

export {};
