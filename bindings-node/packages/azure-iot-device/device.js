'use strict';
// The package's table of contents. What is a type only in the official package is there, and undefined.

module.exports = {
  Client: require('./lib/client.js').Client,
  ModuleClient: require('./lib/module_client.js').ModuleClient,
  ConnectionString: require('./lib/connection_string.js'),
  Message: require('azure-iot-common').Message,
  SharedAccessSignature: require('./lib/shared_access_signature.js'),
  ...require('./lib/providers.js'),
  Twin: require('./lib/twin.js').Twin,
  TwinProperties: undefined,
  getUserAgentString: require('./lib/user_agent.js').getUserAgentString,
  EdgedAuthConfig: undefined,
};
