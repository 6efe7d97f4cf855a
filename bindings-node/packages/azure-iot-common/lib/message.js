'use strict';
// A message between device and cloud, and its application properties.

const SECURITY_INTERFACE = 'urn:azureiot:Security:SecurityAgent:1';
/** Names that the protocols keep for themselves. */
const RESERVED = new Set(['Authorization', 'iothub-to']);

/** Application properties: pairs in order, names may repeat. */
class Properties {
  constructor() {
    this.propertyList = [];
  }

  /** False for a reserved name, which is not added. */
  add(key, value) {
    if (RESERVED.has(key)) return false;
    this.propertyList.push({ key, value });
    return true;
  }

  getItem(index) {
    return index >= 0 && index < this.propertyList.length ? this.propertyList[index] : undefined;
  }

  getValue(key) {
    return this.propertyList.find((item) => item.key === key)?.value;
  }

  count() {
    return this.propertyList.length;
  }
}

class Message {
  constructor(data) {
    this.data = data;
    this.properties = new Properties();
    this.messageId = '';
    this.to = '';
    this.expiryTimeUtc = undefined;
    this.lockToken = '';
    this.correlationId = '';
    this.userId = '';
    this.contentEncoding = undefined;
    this.contentType = undefined;
  }

  getData() {
    return this.data;
  }

  getBytes() {
    return Buffer.isBuffer(this.data) ? this.data : Buffer.from(this.data);
  }

  setAsSecurityMessage() {
    this.interfaceId = SECURITY_INTERFACE;
  }

  static isBufferConvertible(value) {
    return (
      Buffer.isBuffer(value) || typeof value === 'string' || value instanceof Array || value instanceof ArrayBuffer
    );
  }
}

module.exports = { Message, Properties };
