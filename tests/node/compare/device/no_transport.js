// A client without a transport.
'use strict';
const { Client } = require('azure-iot-device');
const { thrown } = require('../support');

thrown('nothing', () => Client.fromConnectionString('HostName=h;DeviceId=d;SharedAccessKey=aGk=', undefined));
thrown('a text', () => Client.fromConnectionString('HostName=h;DeviceId=d;SharedAccessKey=aGk=', 'Mqtt'));
