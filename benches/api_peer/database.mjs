// Transactions for one facility, pipelined: what needs no answer of what is before it goes off with it.

import pg from 'pg';
import { FacilityKeys } from './cipher.mjs';

// Times keep their microseconds, and record ids are far below 2^53.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, time => time.replace(' ', 'T').replace('+00', 'Z'));
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export class Database {
  #pool;
  #masters;
  #keys = new Map();

  constructor({ socket, connections, masters }) {
    const login = { host: socket, user: 'hysio_app', database: 'hysio' };
    this.#pool = new pg.Pool({ ...login, max: connections, idleTimeoutMillis: 0, connectionTimeoutMillis: 5_000, pipeline: true });
    this.#masters = masters;
  }

  /** A statement by itself. */
  async query(statement, values) {
    return (await this.#pool.query({ ...statement, values })).rows;
  }

  /** `work` acts for the facility alone, which row-level security looks at, and commits. */
  async transaction(facility, work) {
    const keys = await this.#keysOf(facility);
    const client = await this.#pool.connect();
    try {
      const begun = client.query(`BEGIN; SELECT set_config('hysio.facility_id', '${facility}', true)`);
      const [result] = await Promise.all([work(new Transaction(client, keys)), begun]);
      client.release();
      return result;
    } catch (error) {
      await client.query('ROLLBACK').then(() => client.release(), () => client.release(true));
      throw error;
    }
  }

  #keysOf(facility) {
    let keys = this.#keys.get(facility);
    if (!keys) {
      keys = this.query(KEYS, [facility]).then(rows => new FacilityKeys(facility, rows, this.#masters));
      keys.catch(() => this.#keys.delete(facility));
      this.#keys.set(facility, keys);
    }
    return keys;
  }
}

class Transaction {
  #client;

  constructor(client, keys) {
    this.#client = client;
    this.keys = keys;
  }

  async query(statement, values) {
    return (await this.#client.query({ ...statement, values })).rows;
  }

  /** Sends the statements, the audit entry and COMMIT in one go: if one is refused, COMMIT rolls back, and this fails. */
  async commit(entry, ...statements) {
    const sent = statements.map(([statement, values]) => this.query(statement, values));
    const [results] = await Promise.all([Promise.all(sent), this.query(AUDIT, entry), this.#client.query('COMMIT')]);
    return results;
  }
}

const KEYS = {
  name: 'keys',
  text: `SELECT version, master_key_id, wrapped_key FROM encryption_keys WHERE purpose = 'data' AND facility_id = $1`,
};

const AUDIT = {
  name: 'audit',
  text: `INSERT INTO audit_entries (id, at, facility_id, actor, action, resource, resource_id, outcome, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'success', $8)`,
};
