/// <reference types="node" />
import { IncomingMessage } from 'http';
import {
  ConnectionString as CommonConnectionString,
  SharedAccessSignature as CommonSharedAccessSignature,
  X509,
} from 'azure-iot-common';

type TripleValueCallback<A, B> = (error?: Error, result1?: A, result2?: B) => void;
type HttpResponseCallback<T> = TripleValueCallback<T, any>;
type IncomingMessageCallback<T> = TripleValueCallback<T, IncomingMessage>;
type ResultWithHttpResponse<T> = { responseBody: T; httpResponse: any };
type ResultWithIncomingMessage<T> = { result: T; message: IncomingMessage };

/** A document: objects, arrays, strings, numbers, booleans, null. */
type Document = { [key: string]: any };

/** `?api-version=…`, as it ends every request's path. */
export function versionQueryString(): string;

/** Connection strings of backends: a host, a policy and its key. */
export namespace ConnectionString {
  /** Throws an `ArgumentError` unless `source` names HostName, SharedAccessKeyName and SharedAccessKey. */
  function parse(source: string): CommonConnectionString;
}

/** Tokens of backends. */
export namespace SharedAccessSignature {
  /** Signs a token for a hub that expires at `expiry`, in seconds since 1970. */
  function create(host: string, policy: string, key: string, expiry: string | number): CommonSharedAccessSignature;
  /** Throws an `ArgumentError` unless `source` has sr, sig, skn and se. */
  function parse(source: string): CommonSharedAccessSignature;
}

/** What gives tokens of Microsoft Entra ID, such as the credentials of `@azure/identity`. */
interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: any,
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/** What a registry asks the hub through: for tests and transports of your own. */
interface RestApiClient {
  executeApiCall(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    headers: { [key: string]: any },
    requestBody: any,
    ...rest: any[]
  ): void;
  setOptions?(options: any): void;
}

/** What an identity says of itself. */
interface DeviceIdentity {
  deviceId: string;
  generationId?: string;
  etag?: string;
  connectionState?: Device.ConnectionState;
  status?: Device.DeviceStatus;
  statusReason?: string;
  connectionStateUpdatedTime?: string;
  statusUpdatedTime?: string;
  lastActivityTime?: string;
  cloudToDeviceMessageCount?: string;
  authentication?: Device.Authentication;
  capabilities?: Device.Capabilities;
  deviceScope?: string;
  parentScopes?: [string];
}

/** A device's identity. */
export class Device implements DeviceIdentity {
  deviceId: string;
  generationId?: string;
  etag?: string;
  connectionState?: Device.ConnectionState;
  status?: Device.DeviceStatus;
  statusReason?: string;
  connectionStateUpdatedTime?: string;
  statusUpdatedTime?: string;
  lastActivityTime?: string;
  cloudToDeviceMessageCount?: string;
  authentication?: Device.Authentication;
  capabilities?: Device.Capabilities;
  deviceScope?: string;
  parentScopes?: [string];
  /** From an object or its JSON. Throws a `ReferenceError` if it has no `deviceId`. */
  constructor(jsonData?: any);
}

export namespace Device {
  interface _SymmetricKey {
    primaryKey: string;
    secondaryKey: string;
  }
  interface Authentication {
    type?: 'sas' | 'selfSigned' | 'certificateAuthority' | 'none';
    symmetricKey?: _SymmetricKey;
    x509Thumbprint?: X509Thumbprints;
  }
  interface X509Thumbprints {
    primaryThumbprint?: string;
    secondaryThumbprint?: string;
  }
  interface Capabilities {
    iotEdge?: boolean;
    [x: string]: any;
  }
  /** Hubs write them with a capital; lower case is what a `Device` starts with. */
  type ConnectionState = 'connected' | 'disconnected' | 'Connected' | 'Disconnected';
  type DeviceStatus = 'enabled' | 'disabled';
}

/** A module's identity. */
export interface Module {
  moduleId: string;
  deviceId: string;
  generationId?: string;
  etag?: string;
  connectionState?: Device.ConnectionState;
  connectionStateUpdatedTime?: string;
  lastActivityTime?: string;
  cloudToDeviceMessageCount?: string;
  authentication?: Device.Authentication;
  managedBy?: string;
}

/** A twin. Say what yours hold with `Twin<Desired, Reported, Tags>`; unsaid, they hold anything. */
export class Twin<Desired = Document, Reported = Document, Tags = Document> {
  deviceId: string;
  moduleId?: string;
  /** What `update` asks for: it changes the twin that has this etag. `'*'` changes it whatever it has become. */
  etag: string;
  modelId?: string;
  tags: Tags;
  properties: { reported: Reported; desired: Desired };
  /** An empty twin of a device, or one filled from a description. */
  constructor(device: DeviceIdentity | string, registryClient: Registry);
  /** Reads properties, tags and etag anew. */
  get(done: IncomingMessageCallback<Twin<Desired, Reported, Tags>>): void;
  get(): Promise<ResultWithIncomingMessage<Twin<Desired, Reported, Tags>>>;
  /** Merges `patch` into tags and desired properties; null removes. `InvalidEtagError` if the etag is not current. */
  update(patch: any, done: IncomingMessageCallback<Twin<Desired, Reported, Tags>>): void;
  update(patch: any): Promise<ResultWithIncomingMessage<Twin<Desired, Reported, Tags>>>;
  /** A deep copy without the registry. */
  toJSON(): object;
}

/** The pages of a query. */
declare class Query {
  /** Names the next page; undefined after the last. */
  continuationToken: string;
  /** False after the last page. */
  hasMoreResults: boolean;
  constructor(
    executeQueryFn: (continuationToken: string, done: IncomingMessageCallback<any>) => void,
    registry?: Registry,
  );
  /** The next page's rows. */
  next(continuationToken: string, done: IncomingMessageCallback<any>): void;
  next(done: IncomingMessageCallback<any>): void;
  next(continuationToken: string): Promise<ResultWithIncomingMessage<any>>;
  next(): Promise<ResultWithIncomingMessage<any>>;
  /** The next page's rows as twins. `ArgumentError` if one has no `deviceId`. */
  nextAsTwin(continuationToken: string, done: IncomingMessageCallback<Twin[]>): void;
  nextAsTwin(done: IncomingMessageCallback<Twin[]>): void;
  nextAsTwin(continuationToken: string): Promise<ResultWithIncomingMessage<Twin[]>>;
  nextAsTwin(): Promise<ResultWithIncomingMessage<Twin[]>>;
}

/**
 * The identities, twins and queries of one hub.
 *
 * Every method takes a callback, or without one gives a promise. A refusal is an error of `azure-iot-common`'s classes
 * with `response` and `responseBody`.
 */
export class Registry {
  /** @param restApiClient replaces the client that is made from `config`. */
  constructor(config: Registry.TransportConfig, restApiClient?: RestApiClient);

  static fromConnectionString(value: string): Registry;
  static fromSharedAccessSignature(value: string): Registry;
  static fromTokenCredential(hostName: string, tokenCredential: TokenCredential): Registry;

  /** Creates an identity; keys that it does not name are made. `DeviceAlreadyExistsError` if there is one. */
  create(deviceInfo: Registry.DeviceDescription, done: HttpResponseCallback<Device>): void;
  create(deviceInfo: Registry.DeviceDescription): Promise<ResultWithHttpResponse<Device>>;
  /** Replaces an identity: what is left out is reset. */
  update(deviceInfo: Registry.DeviceDescription, done: HttpResponseCallback<Device>): void;
  update(deviceInfo: Registry.DeviceDescription): Promise<ResultWithHttpResponse<Device>>;
  get(deviceId: string, done: HttpResponseCallback<Device>): void;
  get(deviceId: string): Promise<ResultWithHttpResponse<Device>>;
  /** Up to 1,000 identities; there are no pages. */
  list(done: HttpResponseCallback<Device[]>): void;
  list(): Promise<ResultWithHttpResponse<Device[]>>;
  /** Deletes an identity with its modules and twins, whatever its etag. */
  delete(deviceId: string, done: HttpResponseCallback<any>): void;
  delete(deviceId: string): Promise<ResultWithHttpResponse<any>>;

  /** Creates 1 to 100 identities. */
  addDevices(
    devices: Registry.DeviceDescription[],
    done: HttpResponseCallback<Registry.BulkRegistryOperationResult>,
  ): void;
  addDevices(
    devices: Registry.DeviceDescription[],
  ): Promise<ResultWithHttpResponse<Registry.BulkRegistryOperationResult>>;
  /** Replaces 1 to 100 identities; unless forced, each only if it has the etag that its description names. */
  updateDevices(
    devices: Registry.DeviceDescription[],
    forceUpdate: boolean,
    done: HttpResponseCallback<Registry.BulkRegistryOperationResult>,
  ): void;
  updateDevices(
    devices: Registry.DeviceDescription[],
    forceUpdate: boolean,
  ): Promise<ResultWithHttpResponse<Registry.BulkRegistryOperationResult>>;
  /** Deletes 1 to 100 identities; unless forced, each only if it has the etag that its description names. */
  removeDevices(
    devices: Registry.DeviceDescription[],
    forceRemove: boolean,
    done: HttpResponseCallback<Registry.BulkRegistryOperationResult>,
  ): void;
  removeDevices(
    devices: Registry.DeviceDescription[],
    forceRemove: boolean,
  ): Promise<ResultWithHttpResponse<Registry.BulkRegistryOperationResult>>;
  getRegistryStatistics(done: HttpResponseCallback<Registry.RegistryStatistics>): void;
  getRegistryStatistics(): Promise<ResultWithHttpResponse<Registry.RegistryStatistics>>;

  addModule(module: Module, done: HttpResponseCallback<any>): void;
  addModule(module: Module): Promise<ResultWithHttpResponse<any>>;
  getModulesOnDevice(deviceId: string, done: HttpResponseCallback<Module[]>): void;
  getModulesOnDevice(deviceId: string): Promise<ResultWithHttpResponse<Module[]>>;
  getModule(deviceId: string, moduleId: string, done: HttpResponseCallback<Module>): void;
  getModule(deviceId: string, moduleId: string): Promise<ResultWithHttpResponse<Module>>;
  /** Replaces a module's identity; unless forced, only if it has `module.etag`. */
  updateModule(module: Module, done: TripleValueCallback<any, any>): void;
  updateModule(module: Module, forceUpdate: boolean, done: HttpResponseCallback<any>): void;
  updateModule(module: Module, forceUpdate: boolean): Promise<ResultWithHttpResponse<any>>;
  updateModule(module: Module): Promise<ResultWithHttpResponse<any>>;
  /** Deletes a module: if it has `module.etag`, or by ids whatever it has. */
  removeModule(module: Module, done: TripleValueCallback<any, any>): void;
  removeModule(deviceId: string, moduleId: string, done: TripleValueCallback<any, any>): void;
  removeModule(moduleOrDeviceId: Module | string, moduleId: string): Promise<ResultWithHttpResponse<any>>;
  removeModule(moduleOrDeviceId: Module | string): Promise<ResultWithHttpResponse<any>>;

  getTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    done: HttpResponseCallback<Twin<Desired, Reported, Tags>>,
  ): void;
  getTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
  ): Promise<ResultWithHttpResponse<Twin<Desired, Reported, Tags>>>;
  getModuleTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    moduleId: string,
    done: HttpResponseCallback<Twin<Desired, Reported, Tags>>,
  ): void;
  getModuleTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    moduleId: string,
  ): Promise<ResultWithHttpResponse<Twin<Desired, Reported, Tags>>>;
  /** Merges `patch` into tags and desired properties; null removes. The twin must have `etag`; `'*'`: whatever it has. */
  updateTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    patch: any,
    etag: string,
    done: HttpResponseCallback<Twin<Desired, Reported, Tags>>,
  ): void;
  updateTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    patch: any,
    etag: string,
  ): Promise<ResultWithHttpResponse<Twin<Desired, Reported, Tags>>>;
  updateModuleTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    moduleId: string,
    patch: any,
    etag: string,
    done: HttpResponseCallback<Twin<Desired, Reported, Tags>>,
  ): void;
  updateModuleTwin<Desired = Document, Reported = Document, Tags = Document>(
    deviceId: string,
    moduleId: string,
    patch: any,
    etag: string,
  ): Promise<ResultWithHttpResponse<Twin<Desired, Reported, Tags>>>;

  /** The rows of `sqlQuery`, at most `pageSize` at a time. Nothing is asked before the first `next`. */
  createQuery(sqlQuery: string, pageSize?: number): Query;
}

export namespace Registry {
  /** How the hub is reached: `sharedAccessSignature` or `tokenCredential`, not both. */
  interface TransportConfig {
    host: string;
    sharedAccessSignature?: string | CommonSharedAccessSignature;
    x509?: X509;
    tokenCredential?: TokenCredential;
    tokenScope?: string | string[];
  }
  interface QueryDescription {
    query: string;
  }
  interface RegistryStatistics {
    totalDeviceCount: number;
    enabledDeviceCount: number;
    disabledDeviceCount: number;
  }
  type ResponseCallback = TripleValueCallback<any, any>;
  interface DeviceDescription {
    deviceId: string;
    capabilities?: Device.Capabilities;
    [x: string]: any;
  }
  interface DeviceRegistryOperationError {
    deviceId: string;
    moduleId?: string;
    /** The hub's code, such as `DeviceAlreadyExists`. */
    errorCode: any;
    errorStatus: string;
  }
  interface BulkRegistryOperationResult {
    isSuccessful: boolean;
    errors: DeviceRegistryOperationError[];
  }
  type BulkRegistryOperationType = 'create' | 'Update' | 'UpdateIfMatchETag' | 'Delete' | 'DeleteIfMatchETag';
}

export {};
