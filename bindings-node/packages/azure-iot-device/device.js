'use strict';
// The package's table of contents. What is a type only in the official package is there, and undefined.

const providers = require('./lib/providers.js');

// One assignment for each name: that is how `import { name }` of ES modules finds them.
exports.Client = require('./lib/client.js').Client;
exports.ModuleClient = require('./lib/module_client.js').ModuleClient;
exports.ConnectionString = require('./lib/connection_string.js');
exports.Message = require('azure-iot-common').Message;
exports.SharedAccessSignature = require('./lib/shared_access_signature.js');
exports.X509AuthenticationProvider = providers.X509AuthenticationProvider;
exports.SharedAccessSignatureAuthenticationProvider = providers.SharedAccessSignatureAuthenticationProvider;
exports.SharedAccessKeyAuthenticationProvider = providers.SharedAccessKeyAuthenticationProvider;
exports.Twin = require('./lib/twin.js').Twin;
exports.TwinProperties = undefined;
exports.getUserAgentString = require('./lib/user_agent.js').getUserAgentString;
exports.EdgedAuthConfig = undefined;
