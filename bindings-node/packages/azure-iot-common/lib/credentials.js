'use strict';
// Connection strings and shared access signatures, as values: no check against a hub's rules happens here.

const { ArgumentError, FormatError } = require('./errors.js');
const { createDictionary, encodeUriComponentStrict } = require('./text.js');

function requireFields(found, fields, what) {
  for (const field of fields || []) {
    if (!(field in found)) throw new ArgumentError(`The ${what} is missing the property: ${field}`);
  }
}

/** Parts of a connection string. */
class ConnectionString {
  /** A plain object with the parts as members. */
  static parse(source, requiredFields) {
    const found = createDictionary(source, ';');
    requireFields(found, requiredFields, 'connection string');
    return found;
  }
}

function requireArgument(name, value) {
  if (!value) throw new ReferenceError(`Argument '${name}' is ${value}`);
}

/** base64 of HMAC-SHA256 with a base64 key. */
function hmac(key, text) {
  return require('crypto').createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
}

/** A shared access signature; its members `sr`, `sig`, `skn`, `se` are encoded as in the text. */
class SharedAccessSignature {
  /** A new text with another expiry, signed with the key that this one was created with. */
  extend(expiry) {
    if (!expiry) throw new ReferenceError(`expiry is ${expiry}`);
    this.se = expiry;
    this.sig = encodeUriComponentStrict(hmac(this._key, `${this.sr}\n${this.se}`));
    return this.toString();
  }

  toString() {
    const fields = ['sr', 'sig', 'skn', 'se'].filter((name) => this[name]);
    return `SharedAccessSignature ${fields.map((name) => `${name}=${this[name]}`).join('&')}`;
  }

  /** Signs; `resourceUri` is already encoded, `key` in base64, `expiry` in seconds since 1970. */
  static create(resourceUri, keyName, key, expiry) {
    requireArgument('resourceUri', resourceUri);
    requireArgument('key', key);
    requireArgument('expiry', expiry);
    const token = new SharedAccessSignature();
    // The key stays out of what is printed.
    Object.defineProperty(token, '_key', { value: key, writable: true, configurable: true });
    token.sr = resourceUri;
    if (keyName) token.skn = encodeUriComponentStrict(keyName);
    token.se = expiry;
    token.sig = encodeUriComponentStrict(hmac(key, `${token.sr}\n${token.se}`));
    return token;
  }

  /** Signs with somebody else's function, `(buffer, (error, signature: Buffer) => void)`: an HSM, IoT Edge. */
  static createWithSigningFunction(credentials, expiry, signingFunction, callback) {
    requireArgument('credentials', credentials);
    requireArgument('expiry', expiry);
    requireArgument('signingFunction', signingFunction);
    requireArgument('callback', callback);
    const token = new SharedAccessSignature();
    const module = credentials.moduleId ? `/modules/${credentials.moduleId}` : '';
    token.sr = encodeUriComponentStrict(`${credentials.host}/devices/${credentials.deviceId}${module}`);
    token.se = expiry;
    if (credentials.sharedAccessKeyName) token.skn = encodeUriComponentStrict(credentials.sharedAccessKeyName);
    signingFunction(Buffer.from(`${token.sr}\n${token.se}`), (error, signed) => {
      if (error) return callback(error);
      token.sig = encodeUriComponentStrict(signed.toString('base64'));
      callback(null, token);
    });
  }

  /** Reads `SharedAccessSignature sr=…&sig=…&se=…`. */
  static parse(source, requiredFields) {
    const parts = String(source).split(/\s/);
    if (parts.length !== 2 || !/SharedAccessSignature/.test(parts[0])) throw new FormatError('Malformed signature');
    const found = createDictionary(parts[1], '&');
    requireFields(found, requiredFields, 'shared access signature');
    return Object.assign(new SharedAccessSignature(), found);
  }
}

module.exports = { ConnectionString, SharedAccessSignature };
