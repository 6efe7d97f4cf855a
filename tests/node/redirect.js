// Sends connections to loopback ports 443, 5671 and 8883 to REDIRECT_TO_PORT, for users who may not bind those.
'use strict';
const net = require('node:net');
const port = Number(process.env.REDIRECT_TO_PORT);
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (options && typeof options === 'object' && [443, 5671, 8883].includes(Number(options.port))) options.port = port;
  return connect.apply(this, args);
};
