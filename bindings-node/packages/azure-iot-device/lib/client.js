'use strict';
// A device's client.

const { InternalClient, addFactories, providerFor } = require('./internal_client.js');

class Client extends InternalClient {}

addFactories(Client, providerFor);

module.exports = { Client };
