// One process a core, all on one port.
//
//   node server.mjs express|fastify|lean --port 3000 --postgres DIRECTORY --redis SOCKET --master-key FILE [--connections 20]

import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

const { values: options, positionals: [flavour] } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '3000' },
    postgres: { type: 'string' },
    redis: { type: 'string' },
    'master-key': { type: 'string' },
    connections: { type: 'string', default: '20' },
  },
});
const cores = availableParallelism();

if (cluster.isPrimary) {
  for (let core = 0; core < cores; core++) cluster.fork();
  cluster.on('listening', () => {
    const listening = Object.values(cluster.workers).filter(worker => worker.state === 'listening');
    if (listening.length === cores) console.log('listening');
  });
  cluster.on('exit', () => process.exit(1));
} else {
  await work();
}

async function work() {
  // Only what serves is loaded by those who serve.
  const [{ masterKeys }, { Clinic }, { Database }, { Sessions }, { serve }] = await Promise.all(
    ['cipher', 'clinic', 'database', 'sessions', flavour].map(module => import(`./${module}.mjs`)));
  const database = new Database({
    socket: options.postgres,
    connections: Math.ceil(Number(options.connections) / cores),
    masters: masterKeys(options['master-key']),
  });
  const sessions = new Sessions(options.redis, database);
  await serve({ clinic: new Clinic(database), database, sessions, host: '127.0.0.1', port: Number(options.port) });
}
