'use strict';
// Life of the process: what keeps Node alive, worker threads, exits at bad moments, memory.

const assert = require('assert');
const { spawn } = require('child_process');
const path = require('path');
const { Worker } = require('worker_threads');
const support = require('./support.js');
const { test } = support;

/** How long one process may take, in ms. */
const PATIENCE_MS = 30_000;

/** Runs a script beside this file (so that it finds the packages) in a process of its own, which is ended if it does not end. */
function run(script, environment = {}, flags = [], cwd = __dirname) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, '-e', script], {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (out += chunk));
    const late = setTimeout(() => {
      out += `<killed: it did not end in ${PATIENCE_MS} ms>`;
      child.kill('SIGKILL');
    }, PATIENCE_MS);
    child.on('close', (code, signal) => {
      clearTimeout(late);
      resolve({ code, signal, out });
    });
    run.last = child;
  });
}

const PRELUDE = `
  const { Client } = require('azure-iot-device');
  const Transport = require('azure-iot-device-mqtt')[process.env.TRANSPORT ?? 'Mqtt'];
  const client = Client.fromConnectionString(process.env.DEVICE, Transport);
`;

test('a closed client lets the process end, and so does one that cannot connect', async () => {
  const DEVICE = (await support.device()).connectionString;
  const closed = await run(`${PRELUDE} client.open().then(() => client.close()).then(() => console.log('closed'));`, { DEVICE });
  assert.deepStrictEqual([closed.code, closed.out], [0, 'closed\n']);
  const never = await run(`${PRELUDE} console.log('unused');`, { DEVICE });
  assert.deepStrictEqual([never.code, never.out], [0, 'unused\n']);
  const refused = DEVICE.replace(/SharedAccessKey=.*/, 'SharedAccessKey=AAAAAAAAAAAAAAAAAAAAAA==');
  const gone = await run(`${PRELUDE} client.open().catch((e) => console.log(e.name));`, { DEVICE: refused });
  assert.deepStrictEqual([gone.code, gone.out], [0, 'UnauthorizedError\n']);
});

test('an open client keeps the process alive, and hears', async () => {
  const { connectionString: DEVICE, deviceId } = await support.device();
  const script = `${PRELUDE}
    client.getTwin((error, twin) => {
      twin.on('properties.desired.stop', () => client.close());
      twin.on('properties.desired', () => {});
      console.log('ready');
    });`;
  const running = run(script, { DEVICE });
  await Promise.race([new Promise((resolve) => run.last.stdout.once('data', resolve)), running]);
  await support.desire(deviceId, { stop: true });
  const { code, out } = await running;
  assert.deepStrictEqual([code, out], [0, 'ready\n']);
});

test('process.exit in a callback, with requests and events on the way', async () => {
  const DEVICE = (await support.device()).connectionString;
  const script = `${PRELUDE}
    client.getTwin((error, twin) => {
      twin.on('properties.desired', () => {});
      for (let i = 0; i < 100; i++) twin.properties.reported.update({ i }, () => { if (i === 50) process.exit(7); });
    });`;
  for (const TRANSPORT of ['Mqtt', 'Amqp', 'MqttWs', 'AmqpWs']) {
    for (let i = 0; i < 2; i++) {
      const { code, signal, out } = await run(script, { DEVICE, TRANSPORT });
      assert.deepStrictEqual([code, signal, out], [7, null, ''], TRANSPORT);
    }
  }
});

test('a registry that has its answers lets the process end, and process.exit does not wait for those on the way', async () => {
  const script = (more) => `
    const registry = require('azure-iothub').Registry.fromConnectionString(process.env.IOTHUB_CONNECTION_STRING);
    registry.createQuery('SELECT * FROM devices', 1).next(() => { console.log('page'); ${more} });`;
  const idle = await run(script(''));
  assert.deepStrictEqual([idle.code, idle.out], [0, 'page\n']);
  const cut = await run(script('for (let i = 0; i < 50; i++) registry.list(() => {}); setImmediate(process.exit, 7);'));
  assert.deepStrictEqual([cut.code, cut.signal, cut.out], [7, null, 'page\n']);
});

test('an exception in a callback is the program’s own, and the others still hear', async () => {
  const DEVICE = (await support.device()).connectionString;
  const script = `${PRELUDE}
    process.on('uncaughtException', (error) => console.log('uncaught', error.message));
    client.getTwin((error, twin) => {
      twin.properties.reported.update({ a: 1 }, () => { throw new Error('mine'); });
      twin.properties.reported.update({ b: 1 }, () => client.close());
    });`;
  const { code, out } = await run(script, { DEVICE });
  assert.deepStrictEqual([code, out], [0, 'uncaught mine\n']);
});

test('worker threads have clients of their own, and may be terminated', async () => {
  const script = `
    const { parentPort, workerData } = require('worker_threads');
    const { Client } = require('azure-iot-device');
    const { Mqtt } = require('azure-iot-device-mqtt');
    const client = Client.fromConnectionString(workerData, Mqtt);
    client.getTwin(async (error, twin) => {
      if (error) throw error;
      twin.on('properties.desired', () => {});
      await twin.properties.reported.update({ worker: true });
      parentPort.postMessage('reported');
    });`;
  const devices = await Promise.all(Array.from({ length: 4 }, () => support.device('worker')));
  await Promise.all(
    devices.map(async ({ connectionString, deviceId }) => {
      const worker = new Worker(script, { eval: true, workerData: connectionString });
      const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      assert.strictEqual(said, 'reported');
      await worker.terminate();
      assert.deepStrictEqual(await support.reported(deviceId), { worker: true });
    }),
  );
});

test('workers terminated with requests, answers and events on the way', async () => {
  const script = `
    const { parentPort, workerData } = require('worker_threads');
    const { Client } = require('azure-iot-device');
    const client = Client.fromConnectionString(workerData.device, require('azure-iot-device-mqtt')[workerData.transport]);
    const registry = require('azure-iothub').Registry.fromConnectionString(process.env.IOTHUB_CONNECTION_STRING);
    client.getTwin((error, twin) => {
      twin.on('properties.desired', () => {});
      const report = (n) => twin.properties.reported.update({ n }, () => report(n + 1));
      for (let i = 0; i < 20; i++) report(i);
      for (let i = 0; i < 20; i++) registry.list(() => {});
      parentPort.postMessage('busy');
    });`;
  for (const transport of ['Mqtt', 'Amqp']) {
    const devices = await Promise.all(Array.from({ length: 4 }, () => support.device('busy')));
    await Promise.all(
      devices.map(async ({ connectionString: device }) => {
        const worker = new Worker(script, { eval: true, workerData: { device, transport } });
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        await worker.terminate();
      }),
    );
  }
});

test('the addon loaded by a worker alone outlives it', async () => {
  const DEVICE = (await support.device()).connectionString;
  const script = `
    const { Worker } = require('worker_threads');
    const text = ${JSON.stringify(`
      const { Client } = require('azure-iot-device');
      const client = Client.fromConnectionString(process.env.DEVICE, require('azure-iot-device-mqtt').Mqtt);
      client.open().then(() => client.close());`)};
    let n = 0;
    const next = () => (n++ < 3 ? new Worker(text, { eval: true }).on('exit', next) : console.log('done'));
    next();`;
  const { code, signal, out } = await run(script, { DEVICE });
  assert.deepStrictEqual([code, signal, out], [0, null, 'done\n']);
});

test('thousands of clients opened and closed leave nothing', async () => {
  const DEVICE = (await support.device()).connectionString;
  const script = `
    const { Client } = require('azure-iot-device');
    const { Mqtt } = require('azure-iot-device-mqtt');
    const round = async (count) => {
      for (let i = 0; i < count; i++) {
        const client = Client.fromConnectionString(process.env.DEVICE, Mqtt);
        await client.setOptions({ ca: process.env.HUB_CA_FILE });
        await client.open();
        await client.close();
        Client.fromConnectionString(process.env.DEVICE, Mqtt);
      }
      for (let i = 0; i < 3; i++) { global.gc(); await new Promise(setImmediate); }
      const { rss, heapTotal, heapUsed } = process.memoryUsage();
      // What V8 keeps in reserve is its own affair.
      return { native: rss - heapTotal, heap: heapUsed };
    };
    (async () => {
      await round(200);
      const before = await round(200);
      const after = await round(1000);
      console.log(JSON.stringify({ before, after, handles: process.getActiveResourcesInfo() }));
    })();`;
  const { code, out } = await run(script, { DEVICE }, ['--expose-gc']);
  assert.strictEqual(code, 0, out);
  const { before, after, handles } = JSON.parse(out);
  // 1,000 more clients: what one leaves would show a thousand times.
  assert(after.native - before.native < 4 << 20 && after.heap - before.heap < 1 << 20, out);
  assert(!handles.some((handle) => /Timeout|TCP|TLS/.test(handle)), handles.join());
});

test('DEBUG says what happens, and no secret', async () => {
  const { connectionString: DEVICE, key } = await support.device();
  const { code, out } = await run(`${PRELUDE} client.open().then(() => client.close());`, { DEVICE, DEBUG: 'azure-iot-device*' });
  assert.strictEqual(code, 0, out);
  assert(/azure-iot-device:Session .*connected/.test(out), out);
  assert(!out.includes(key) && !out.includes('sig='), out);
});

test('the packages are quick to load, and the addon is left for later', async () => {
  const { out } = await run(`
    const before = process.moduleLoadList.length;
    const files = () => Object.keys(require.cache);
    require('azure-iot-device-mqtt');
    console.log(JSON.stringify({ files: files().length, native: files().some((file) => file.endsWith('.node')) }));`);
  const { files, native } = JSON.parse(out);
  assert(files < 30 && !native, out);
});

test('ESM imports find the names', async () => {
  const script = `
    import { Client, Twin } from 'azure-iot-device';
    import { Mqtt, MqttWs } from 'azure-iot-device-mqtt';
    import { errors, Message } from 'azure-iot-common';
    import common from 'azure-iot-common';
    console.log([Client, Twin, Mqtt, MqttWs, errors.ArgumentError, Message, common.Message].every((x) => typeof x === 'function'));`;
  const { code, out } = await run(script, {}, ['--input-type=module'], path.dirname(process.env.NODE_PATH));
  assert.deepStrictEqual([code, out], [0, 'true\n']);
});
