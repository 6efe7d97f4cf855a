'use strict';
// A device's client.

const { InternalClient, addFactories, providerFor } = require('./internal_client.js');

class Client extends InternalClient {
  constructor(transport, connStr) {
    super(transport, connStr);
    // Messages are asked for while somebody listens.
    this._userRegisteredC2dListener = false;
    this.on('newListener', (eventName) => {
      if (eventName === 'message') this._want(true);
    });
    this.on('removeListener', () => {
      if (this._userRegisteredC2dListener && this.listenerCount('message') === 0) this._want(false);
    });
    transport.on('message', (message) => this.emit('message', message));
  }

  _want(wanted) {
    this._userRegisteredC2dListener = wanted;
    const tell = (error) => {
      if (error) this.emit('error', error);
    };
    if (wanted) this._retry('enableC2D', (end) => this._transport.enableC2D(end), tell);
    else this._retry('disableC2D', (end) => this._transport.disableC2D(end), tell);
  }
}

addFactories(Client, providerFor);

module.exports = { Client };
