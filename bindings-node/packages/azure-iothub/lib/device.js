// An identity, as the registry holds it.
'use strict';

const { merge } = require('./merge');

class Device {
  /** From an object or its JSON; what it does not say is as in an identity that was never used. */
  constructor(jsonData) {
    this.deviceId = null;
    this.generationId = null;
    this.etag = null;
    this.connectionState = 'disconnected';
    this.status = 'enabled';
    this.statusReason = null;
    this.connectionStateUpdatedTime = null;
    this.statusUpdatedTime = null;
    this.lastActivityTime = null;
    this.cloudToDeviceMessageCount = '0';
    this.capabilities = {};
    this.authentication = {
      symmetricKey: { primaryKey: null, secondaryKey: null },
      x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    };
    if (!jsonData) return;
    const given = typeof jsonData === 'string' ? JSON.parse(jsonData) : jsonData;
    if (!given || !given.deviceId) {
      throw new ReferenceError(`The 'deviceId' property cannot be '${given && given.deviceId}'`);
    }
    merge(this, given);
  }
}

module.exports = { Device };
