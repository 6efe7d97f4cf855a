/// <reference types="node" />
import { EventEmitter } from 'events';
import { AuthenticationProvider, Message, results } from 'azure-iot-common';
import { DeviceClientOptions, DeviceTransport } from 'azure-iot-device';

declare abstract class SessionTransport extends EventEmitter implements DeviceTransport {
  constructor(authenticationProvider: AuthenticationProvider);
  connect(done?: (err?: Error, result?: any) => void): void;
  disconnect(done?: (err?: Error, result?: any) => void): void;
  updateSharedAccessSignature(sharedAccessSignature: string, done: (err?: Error, result?: any) => void): void;
  setOptions(options: DeviceClientOptions, done?: (err?: Error, result?: any) => void): void;
  sendEvent(message: Message, done: (err?: Error, result?: results.MessageEnqueued) => void): void;
  sendEventBatch(messages: Message[], done: (err?: Error, result?: results.MessageEnqueued) => void): void;
  complete(message: Message, done: (err?: Error, result?: results.MessageCompleted) => void): void;
  reject(message: Message, done: (err?: Error, result?: results.MessageRejected) => void): void;
  abandon(message: Message, done: (err?: Error, result?: results.MessageAbandoned) => void): void;
  enableC2D(callback: (err?: Error) => void): void;
  disableC2D(callback: (err?: Error) => void): void;
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

/** HTTPS, port 443: telemetry and messages, no twins. */
export class Http extends SessionTransport {
  /** Asks for messages now, whatever the receive policy says. */
  receive(): void;
}

export {};
