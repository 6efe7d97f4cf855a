/// <reference types="node" />
import { EventEmitter } from 'events';

/** A certificate or what stands for one: PEM text, or files. */
export interface X509 {
  cert?: string | string[] | Buffer | Buffer[];
  key?: string | Buffer;
  passphrase?: string;
  clientCertEngine?: string;
  certFile?: string;
  keyFile?: string;
}

/** Who connects where, and by what it is believed. */
export interface TransportConfig {
  host: string;
  deviceId: string;
  moduleId?: string;
  sharedAccessSignature?: string;
  sharedAccessKeyName?: string;
  sharedAccessKey?: string;
  x509?: X509;
  gatewayHostName?: string;
}

export type DoubleValueCallback<A, B> = (result1?: A, result2?: B) => void;
export type NoErrorCallback<T> = (result?: T) => void;
export type ErrorCallback = (error?: Error) => void;
export type Callback<T> = DoubleValueCallback<Error, T>;
export type TripleValueCallback<A, B> = (error?: Error, result1?: A, result2?: B) => void;
export type HttpResponseCallback<T> = TripleValueCallback<T, any>;
export type ResultWithHttpResponse<T> = { responseBody: T; httpResponse: any };

/** Calls `operation` with the user's callback, or, without one, makes a promise of what it calls back with. */
export function callbackToPromise<T>(operation: (callback: Callback<T>) => void, userCallback?: Callback<T>): Promise<T> | void;
export function errorCallbackToPromise(operation: (callback: ErrorCallback) => void, userCallback: ErrorCallback): void;
export function errorCallbackToPromise(operation: (callback: ErrorCallback) => void): Promise<void>;
export function noErrorCallbackToPromise<T>(operation: (callback: NoErrorCallback<T>) => void, userCallback: NoErrorCallback<T>): void;
export function noErrorCallbackToPromise<T>(operation: (callback: NoErrorCallback<T>) => void): Promise<T>;
export function doubleValueCallbackToPromise<A, B, P>(
  operation: (callback: DoubleValueCallback<A, B>) => void,
  packResults: (result1: A, result2: B) => P,
  userCallback: DoubleValueCallback<A, B>,
): void;
export function doubleValueCallbackToPromise<A, B, P>(
  operation: (callback: DoubleValueCallback<A, B>) => void,
  packResults: (result1: A, result2: B) => P,
): Promise<P>;
export function tripleValueCallbackToPromise<A, B, P>(
  operation: (callback: TripleValueCallback<A, B>) => void,
  packResults: (result1: A, result2: B) => P,
  userCallback: TripleValueCallback<A, B>,
): void;
export function tripleValueCallbackToPromise<A, B, P>(
  operation: (callback: TripleValueCallback<A, B>) => void,
  packResults: (result1: A, result2: B) => P,
): Promise<P>;
export function httpCallbackToPromise<T>(operation: (callback: HttpResponseCallback<T>) => void, callback: HttpResponseCallback<T>): void;
export function httpCallbackToPromise<T>(operation: (callback: HttpResponseCallback<T>) => void): Promise<ResultWithHttpResponse<T>>;

/** An hour from now, in seconds since 1970. */
export function anHourFromNow(): number;
/** `encodeURIComponent`, and `!'()*` too. */
export function encodeUriComponentStrict(str: string): string;
/** What this machine is, for user agents. */
export function getAgentPlatformString(callback: (platformString?: string) => void): void;

/** The parts of a connection string, as they are spelled there. */
export class ConnectionString {
  HostName?: string;
  DeviceId?: string;
  ModuleId?: string;
  SharedAccessKey?: string;
  SharedAccessKeyName?: string;
  GatewayHostName?: string;
  SharedAccessSignature?: string;
  x509?: string;
  /** Throws an `ArgumentError` if a required part is missing. */
  static parse(source: string, requiredFields?: string[]): ConnectionString;
}

/** A token: what it is for, until when, and the signature. */
export class SharedAccessSignature {
  sr: string;
  /** Seconds since 1970. */
  se: string | number;
  sig: string;
  skn: string;
  /** Signs the token anew, until `expiry` (seconds since 1970), and returns its text. */
  extend(expiry: number): string;
  toString(): string;
  static create(resourceUri: string, keyName: string | null | undefined, key: string, expiry: number | string): SharedAccessSignature;
  static createWithSigningFunction(
    credentials: TransportConfig,
    expiry: number,
    signingFunction: (stringToSign: any, callback: Callback<any>) => void,
    callback: (err: Error, sas?: SharedAccessSignature) => void,
  ): void;
  static parse(source: string, requiredFields?: string[]): SharedAccessSignature;
}

/** Application properties of a message, in order; a name may come more than once. */
interface Properties {
  propertyList: any[];
  /** False for the names that the service keeps for itself. */
  add(itemKey: string, itemValue: string): boolean;
  getItem(index: number): { key: string; value: string };
  getValue(key: string): any;
  count(): number;
}

/** A message to or from a hub. */
export class Message {
  data: any;
  properties: Properties;
  messageId: string;
  to: string;
  expiryTimeUtc: any;
  lockToken: string;
  correlationId: string;
  userId: string;
  ack: string;
  contentType: undefined | 'application/json';
  contentEncoding: undefined | 'utf-8' | 'utf-16' | 'utf-32';
  interfaceId: string;
  transportObj: any;
  constructor(data: Message.BufferConvertible);
  getData(): Message.BufferConvertible;
  getBytes(): Buffer;
  setAsSecurityMessage(): void;
  static isBufferConvertible(obj: any): boolean;
}

export namespace Message {
  type BufferConvertible = Buffer | string | any[] | ArrayBuffer;
}

/** Whether and when something is tried again. */
export interface RetryPolicy {
  /** Milliseconds until attempt `retryCount`; negative: give up. */
  nextRetryTimeout: (retryCount: number, isThrottled: boolean) => number;
  shouldRetry: (error: Error) => boolean;
}

declare class ExponentialBackoffWithJitterParameters {
  c: number;
  cMin: number;
  cMax: number;
  ju: number;
  jd: number;
}

/** Waits longer each time, and never exactly as long as others. */
export class ExponentialBackOffWithJitter implements RetryPolicy {
  normalParameters: ExponentialBackoffWithJitterParameters;
  throttledParameters: ExponentialBackoffWithJitterParameters;
  immediateFirstRetry: boolean;
  constructor(immediateFirstRetry?: boolean, errorFilter?: { [errorName: string]: boolean });
  nextRetryTimeout(retryCount: number, isThrottled: boolean): number;
  shouldRetry(error: Error): boolean;
}

/** Gives up at once. */
export class NoRetry implements RetryPolicy {
  nextRetryTimeout(retryCount: number, isThrottled?: boolean): number;
  shouldRetry(error: Error): boolean;
}

/** Does something until it works, its policy gives up, or `maxTimeout` milliseconds are over. */
export class RetryOperation {
  constructor(name: string, policy: RetryPolicy, maxTimeout: number);
  retry(
    operation: (opCallback: (err?: Error, result?: any, response?: any) => void) => void,
    finalCallback: (err?: Error, result?: any, response?: any) => void,
  ): void;
}

export enum AuthenticationType {
  X509 = 0,
  Token = 1,
}

/** Who a device is. */
export interface AuthenticationProvider {
  type: AuthenticationType;
  getDeviceCredentials(callback: Callback<TransportConfig>): void;
  getDeviceCredentials(): Promise<TransportConfig>;
  setTokenRenewalValues?(tokenValidTimeInSeconds: number, tokenRenewalMarginInSeconds: number): void;
}

export interface Receiver extends EventEmitter {
  on(type: 'message', func: (msg: Message) => void): this;
  on(type: 'errorReceived', func: (err: Error) => void): this;
  on(type: string, func: Function): this;
}

/** What is known of an error beside its class, where it is known. */
export interface ErrorFacts {
  /** Whether the same may succeed later. */
  retryable?: boolean;
  /** Whether the hub may have done it: never sent, refused, or nobody knows. */
  delivery?: 'NotSent' | 'Refused' | 'Unknown';
  /** What the hub's operator finds it by. */
  trackingId?: string;
  statusCode?: number;
  /** The hub's code, such as `DeviceNotFound`. */
  errorCode?: string;
  retryAfterMs?: number;
  /** Of REST requests. */
  response?: any;
  responseBody?: string;
  /** What the connection said. */
  transportError?: Error;
}

/** Paths of the REST interface. */
export namespace endpoint {
  const apiVersion: '2021-04-12';
  function devicePath(deviceId: string): string;
  function deviceEventPath(deviceId: string): string;
  function deviceMessagePath(deviceId: string): string;
  function deviceMethodPath(deviceId: string): string;
  function deviceTwinPath(deviceId: string): string;
  function deviceBlobUploadPath(deviceId: string): string;
  function deviceFeedbackPath(deviceId: string, lockToken: string): string;
  function deviceBlobUploadNotificationPath(deviceId: string, correlationId: string): string;
  function modulePath(deviceId: string, moduleId: string): string;
  function moduleEventPath(deviceId: string, moduleId: string): string;
  function moduleMessagePath(deviceId: string, moduleId: string): string;
  function moduleMethodPath(deviceId: string, moduleId: string): string;
  function moduleTwinPath(deviceId: string, moduleId: string): string;
  function moduleInputMessagePath(deviceId: string, moduleId: string): string;
  function versionQueryString(): string;
}

/** What operations succeed with. */
export namespace results {
  interface Result {
    transportObj?: any;
  }
  class MessageEnqueued implements Result {
    transportObj?: any;
    constructor(transportObj?: any);
  }
  class MessageCompleted implements Result {
    transportObj?: any;
    constructor(transportObj?: any);
  }
  class MessageRejected implements Result {
    transportObj?: any;
    constructor(transportObj?: any);
  }
  class MessageAbandoned implements Result {
    transportObj?: any;
    constructor(transportObj?: any);
  }
  class Connected implements Result {
    transportObj?: any;
    constructor(transportObj?: any);
  }
  class TransportConfigured implements Result {
    transportObj?: any;
    constructor(transportObj?: any);
  }
  class Disconnected implements Result {
    transportObj?: any;
    reason: string;
    constructor(transportObj?: any, reason?: string);
  }
  class SharedAccessSignatureUpdated {
    needToReconnect: boolean;
    constructor(needToReconnect: boolean);
  }
  type ResultWithHttpResponse<T> = { responseBody: T; httpResponse: any };
}

/** The classes of errors; all packages share them. */
export namespace errors {
  interface ArgumentError extends ErrorFacts {}
  class ArgumentError extends Error {
    constructor(message?: string);
  }
  interface ArgumentOutOfRangeError extends ErrorFacts {}
  class ArgumentOutOfRangeError extends Error {
    constructor(message?: string);
  }
  interface DeviceMaximumQueueDepthExceededError extends ErrorFacts {}
  class DeviceMaximumQueueDepthExceededError extends Error {
    constructor(message?: string);
  }
  interface DeviceNotFoundError extends ErrorFacts {}
  class DeviceNotFoundError extends Error {
    constructor(message?: string);
  }
  interface FormatError extends ErrorFacts {}
  class FormatError extends Error {
    constructor(message?: string);
  }
  interface UnauthorizedError extends ErrorFacts {}
  class UnauthorizedError extends Error {
    constructor(message?: string);
  }
  interface NotImplementedError extends ErrorFacts {}
  class NotImplementedError extends Error {
    constructor(message?: string);
  }
  interface NotConnectedError extends ErrorFacts {}
  class NotConnectedError extends Error {
    constructor(message?: string);
  }
  interface IotHubQuotaExceededError extends ErrorFacts {}
  class IotHubQuotaExceededError extends Error {
    constructor(message?: string);
  }
  interface MessageTooLargeError extends ErrorFacts {}
  class MessageTooLargeError extends Error {
    constructor(message?: string);
  }
  interface InternalServerError extends ErrorFacts {}
  class InternalServerError extends Error {
    constructor(message?: string);
  }
  interface ServiceUnavailableError extends ErrorFacts {}
  class ServiceUnavailableError extends Error {
    constructor(message?: string);
  }
  interface IotHubNotFoundError extends ErrorFacts {}
  class IotHubNotFoundError extends Error {
    constructor(message?: string);
  }
  interface IoTHubSuspendedError extends ErrorFacts {}
  class IoTHubSuspendedError extends Error {
    constructor(message?: string);
  }
  interface JobNotFoundError extends ErrorFacts {}
  class JobNotFoundError extends Error {
    constructor(message?: string);
  }
  interface TooManyDevicesError extends ErrorFacts {}
  class TooManyDevicesError extends Error {
    constructor(message?: string);
  }
  interface ThrottlingError extends ErrorFacts {}
  class ThrottlingError extends Error {
    constructor(message?: string);
  }
  interface DeviceAlreadyExistsError extends ErrorFacts {}
  class DeviceAlreadyExistsError extends Error {
    constructor(message?: string);
  }
  interface DeviceMessageLockLostError extends ErrorFacts {}
  class DeviceMessageLockLostError extends Error {
    constructor(message?: string);
  }
  interface InvalidEtagError extends ErrorFacts {}
  class InvalidEtagError extends Error {
    constructor(message?: string);
  }
  interface InvalidOperationError extends ErrorFacts {}
  class InvalidOperationError extends Error {
    constructor(message?: string);
  }
  interface PreconditionFailedError extends ErrorFacts {}
  class PreconditionFailedError extends Error {
    constructor(message?: string);
  }
  interface TimeoutError extends ErrorFacts {}
  class TimeoutError extends Error {
    constructor(message?: string);
  }
  interface BadDeviceResponseError extends ErrorFacts {}
  class BadDeviceResponseError extends Error {
    constructor(message?: string);
  }
  interface GatewayTimeoutError extends ErrorFacts {}
  class GatewayTimeoutError extends Error {
    constructor(message?: string);
  }
  interface DeviceTimeoutError extends ErrorFacts {}
  class DeviceTimeoutError extends Error {
    constructor(message?: string);
  }
  interface OperationCancelledError extends ErrorFacts {}
  class OperationCancelledError extends Error {
    constructor(message?: string);
  }
  interface DeviceRegistrationFailedError extends ErrorFacts {}
  class DeviceRegistrationFailedError extends Error {
    constructor(message?: string);
  }
  interface SecurityDeviceError extends ErrorFacts {}
  class SecurityDeviceError extends Error {
    constructor(message?: string);
  }
  interface CloudToDeviceDetachedError extends ErrorFacts {}
  class CloudToDeviceDetachedError extends Error {
    innerError: Error;
    constructor(message?: string, innerError?: Error);
  }
  interface DeviceMethodsDetachedError extends ErrorFacts {}
  class DeviceMethodsDetachedError extends Error {
    innerError: Error;
    constructor(message?: string, innerError?: Error);
  }
  interface TwinDetachedError extends ErrorFacts {}
  class TwinDetachedError extends Error {
    innerError: Error;
    constructor(message?: string, innerError?: Error);
  }
  class TwinRequestError extends Error {
    transportError: any;
    constructor(message?: string, transportError?: any);
  }
}

export {};
