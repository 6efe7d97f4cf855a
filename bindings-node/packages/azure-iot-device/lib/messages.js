'use strict';
// Messages in the words of the native side, and back.

const { Message, errors } = require('azure-iot-common');

/** A property of this name travels as a system property (amqp_message.ts, mqtt.ts, http.ts). */
const COMPONENT = 'dt-subject';
const ACKS = new Set(['none', 'positive', 'negative', 'full']);

function text(value) {
  return value === undefined || value === null || value === '' ? undefined : String(value);
}

/** An instant as ISO 8601; undefined for what is none. Dates, numbers and texts are given. */
function instant(value) {
  if (!value) return undefined;
  const date = value instanceof Date ? value : new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A message as the native side takes it. */
function toNative(message, output) {
  const pairs = (message.properties?.propertyList ?? []).map(({ key, value }) => [String(key), String(value)]);
  const component = pairs.find(([key]) => key === COMPONENT);
  const ack = text(message.ack);
  if (ack && !ACKS.has(ack.toLowerCase())) {
    throw new errors.ArgumentError(`'${ack}' is no kind of feedback; none, positive, negative and full are`);
  }
  return {
    body: Buffer.from(message.getBytes()).toString('base64'),
    properties: pairs.filter(([key]) => key !== COMPONENT),
    messageId: text(message.messageId),
    correlationId: text(message.correlationId),
    userId: text(message.userId),
    to: text(message.to),
    contentType: text(message.contentType),
    contentEncoding: text(message.contentEncoding),
    expiry: instant(message.expiryTimeUtc),
    ack,
    component: component && component[1],
    interfaceId: text(message.interfaceId),
    output: text(output),
  };
}

/** A message from the cloud. `prefix` goes before the names of its properties. */
function fromNative(heard, prefix = '') {
  const message = new Message(Buffer.from(heard.body, 'base64'));
  for (const [key, value] of heard.properties) message.properties.add(prefix + key, value);
  for (const member of ['messageId', 'correlationId', 'userId', 'to', 'contentType', 'contentEncoding', 'ack']) {
    if (heard[member] !== null) message[member] = heard[member];
  }
  if (heard.expiry !== null) message.expiryTimeUtc = heard.expiry;
  message.lockToken = heard.lockToken;
  return message;
}

module.exports = { toNative, fromNative };
