'use strict';
// What successful operations end with: classes to tell them apart by.

const results = {};
for (const name of [
  'MessageEnqueued',
  'MessageCompleted',
  'MessageRejected',
  'MessageAbandoned',
  'Connected',
  'TransportConfigured',
]) {
  results[name] = {
    [name]: class {
      constructor(transportObj) {
        this.transportObj = transportObj;
      }
    },
  }[name];
}

results.Disconnected = class Disconnected {
  constructor(transportObj, reason) {
    this.transportObj = transportObj;
    this.reason = reason;
  }
};

results.SharedAccessSignatureUpdated = class SharedAccessSignatureUpdated {
  constructor(needToReconnect) {
    this.needToReconnect = needToReconnect;
  }
};

module.exports = results;
