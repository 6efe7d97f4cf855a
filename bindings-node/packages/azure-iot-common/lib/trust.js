'use strict';
// Whom connections trust, what they show and which proxy they take: what Node's own TLS would do with the same environment
// and options, said to the native side.

const fs = require('fs');

const ACCEPT_ANY_WARNING =
  "Setting the NODE_TLS_REJECT_UNAUTHORIZED environment variable to '0' makes TLS connections and HTTPS requests insecure " +
  'by disabling certificate verification.';

let warnedAcceptAny = false;
/** The text of `NODE_EXTRA_CA_CERTS`, by path; a file that cannot be read is warned of once, as Node does. */
const extraCas = new Map();

/**
 * The native side's connection options.
 * `ca`, `cert`, `key`, `passphrase` as for `tls.connect` (PEM text or Buffer, or arrays of them);
 * `agent`: an https.Agent that carries a proxy's URL; `keepAlive` in seconds; `requestTimeout` in milliseconds.
 */
function connectionOptions({ ca, cert, key, passphrase, agent, keepAlive, requestTimeout } = {}) {
  const options = {};
  if (process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    options.acceptAnyCertificate = true;
    if (!warnedAcceptAny) {
      warnedAcceptAny = true;
      process.emitWarning(ACCEPT_ANY_WARNING);
    }
  }
  if (ca !== undefined && ca !== null && ca.length !== 0) {
    // As in Node: a `ca` takes the place of everybody else who is trusted.
    options.extraCa = texts(ca);
    options.systemTrust = false;
  } else {
    const extra = extraCa(process.env.NODE_EXTRA_CA_CERTS);
    if (extra) options.extraCa = [extra];
  }
  if (cert && key) {
    options.cert = texts(cert).join('\n');
    options.key = decrypted(texts(key).join('\n'), passphrase);
  }
  const proxy = proxyOf(agent);
  if (proxy !== undefined) options.proxy = proxy;
  if (keepAlive !== undefined) options.keepAlive = keepAlive;
  if (requestTimeout !== undefined) options.requestTimeout = requestTimeout;
  return options;
}

function texts(pem) {
  return (Array.isArray(pem) ? pem : [pem]).map(String);
}

function extraCa(path) {
  if (!path) return undefined;
  if (!extraCas.has(path)) {
    let text;
    try {
      text = fs.readFileSync(path, 'utf8');
    } catch (error) {
      process.emitWarning(`Ignoring extra certs from \`${path}\`, load failed: ${error.message}`);
    }
    extraCas.set(path, text);
  }
  return extraCas.get(path);
}

/** The key without its passphrase: the native side takes plain ones only. */
function decrypted(key, passphrase) {
  if (!passphrase && !key.includes('ENCRYPTED')) return key;
  const { createPrivateKey } = require('crypto');
  return createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' });
}

/**
 * The URL of the proxy that an agent connects through: https-proxy-agent, http-proxy-agent, tunnel, hpagent, proxy-agent and
 * their like keep it in one of these places. An agent without one means a direct connection, undefined: the environment's.
 */
function proxyOf(agent) {
  if (!agent) return undefined;
  const found = agent.proxy ?? agent.proxyUri ?? agent.proxyOptions ?? agent.options?.proxy;
  if (!found) return '';
  if (typeof found === 'string') return found;
  if (found instanceof URL) return found.href;
  if (typeof found.href === 'string' && found.href) return found.href;
  const host = found.hostname ?? found.host;
  if (!host) return '';
  const login = found.auth ?? found.proxyAuth;
  return `http://${login ? `${login}@` : ''}${host}${found.port ? `:${found.port}` : ''}`;
}

module.exports = { connectionOptions };
