// A device on the official AMQP client that reports, one report after another. Argument: reports.
'use strict';
const { Client } = require('azure-iot-device');
const { Amqp } = require('azure-iot-device-amqp');

const { BENCH_HOST: host, BENCH_KEY: key, BENCH_DEVICE: device } = process.env;

(async () => {
  const client = Client.fromConnectionString(`HostName=${host};DeviceId=${device};SharedAccessKey=${key}`, Amqp);
  await client.open();
  const twin = await client.getTwin();
  const report = (patch) => new Promise((resolve, reject) =>
    twin.properties.reported.update(patch, (err) => (err ? reject(err) : resolve())));
  const times = [];
  for (let n = 0; n < Number(process.argv[2]); n += 1) {
    const begun = performance.now();
    await report({ n });
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(JSON.stringify({ p50: times[times.length >> 1] * 1000 }));
  process.exit(0);
})();
