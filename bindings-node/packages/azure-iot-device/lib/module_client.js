'use strict';
// A module's client.

const fs = require('fs');
const { ConnectionString, callbackToPromise, errors } = require('azure-iot-common');
const { InternalClient, addFactories } = require('./internal_client.js');
const { SharedAccessKeyAuthenticationProvider } = require('./providers.js');

class ModuleClient extends InternalClient {
  /**
   * For a module whose connection string is in the environment (EdgeHubConnectionString or IotHubConnectionString), with the
   * certificate to trust in EdgeModuleCACertificateFile.
   */
  static fromEnvironment(transportCtor, callback) {
    return callbackToPromise((done) => {
      if (!transportCtor) return done(new ReferenceError(`transportCtor cannot be '${transportCtor}'`));
      const connectionString = process.env.EdgeHubConnectionString || process.env.IotHubConnectionString;
      if (!connectionString) {
        return done(
          new errors.NotImplementedError(
            'neither EdgeHubConnectionString nor IotHubConnectionString is set; ' +
              'credentials from an IoT Edge workload API are not supported',
          ),
        );
      }
      fromConnectionString(connectionString, process.env.EdgeModuleCACertificateFile, transportCtor, done);
    }, callback);
  }
}

function fromConnectionString(connectionString, caFile, transportCtor, done) {
  if (!caFile) return done(null, ModuleClient.fromConnectionString(connectionString, transportCtor));
  fs.readFile(caFile, 'utf8', (error, ca) => {
    if (error) return done(error);
    const client = ModuleClient.fromConnectionString(connectionString, transportCtor);
    client.setOptions({ ca }, (problem) => (problem ? done(problem) : done(null, client)));
  });
}

addFactories(ModuleClient, (connStr) => {
  if (!ConnectionString.parse(connStr).SharedAccessKey) {
    throw new errors.NotImplementedError('ModuleClient only supports SAS Token authentication');
  }
  return SharedAccessKeyAuthenticationProvider.fromConnectionString(connStr);
});

module.exports = { ModuleClient };
