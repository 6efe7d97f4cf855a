'use strict';
// What this program runs on, for the hub's statistics.

let known;

/** `node v20.0.0; Debian 12; x64`, by callback as in the official package. */
function getAgentPlatformString(callback) {
  callback(platformString());
}

function platformString() {
  return (known ??= ['node ' + process.version, system(), process.arch].join('; '));
}

function system() {
  if (process.platform !== 'linux') {
    const os = require('os');
    return `${os.type()} ${os.release()}`;
  }
  try {
    const text = require('fs').readFileSync('/etc/os-release', 'utf8');
    const field = (name) => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1];
    const name = (field('NAME') ?? 'Linux').replace(/ GNU\/Linux$/, '');
    return [name, field('VERSION_ID')].filter(Boolean).join(' ');
  } catch {
    return 'unknown';
  }
}

module.exports = { getAgentPlatformString, platformString };
