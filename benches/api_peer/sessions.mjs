// Who is asking: sessions are in Redis, under the hash of the cookie's token, and so is how often each asks.

import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';
import { Problem } from './problem.mjs';

const COOKIE = /(?:^|;\s*)(?:__Host-)?hysio_session=([\w-]+)/;
const IDLE_SECONDS = 15 * 60;
/** Ten a second after a burst of twenty, as the document's NGINX has it. */
const EVERY_MS = 100;
const BURST = 20;

// One round trip: the session, prolonged, and whether it may ask now (GCRA).
const SIGNED_IN = `
local session = redis.call('HMGET', KEYS[1], 'user', 'facility', 'role', 'due')
if not session[1] then return nil end
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local due = math.max(tonumber(session[4] or 0), now)
local allowed = due - now <= ARGV[2] * (ARGV[3] - 1)
if allowed then redis.call('HSET', KEYS[1], 'due', due + ARGV[2]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {session[1], session[2], session[3], allowed and 1 or 0}`;

export class Sessions {
  #redis;
  #database;

  constructor(socket, database) {
    this.#redis = new Redis({ path: socket, enableAutoPipelining: true });
    this.#redis.defineCommand('signedIn', { numberOfKeys: 1, lua: SIGNED_IN });
    this.#database = database;
  }

  /** The clinician of a request, who may ask now. */
  async clinician(cookies) {
    const token = COOKIE.exec(cookies ?? '')?.[1];
    if (!token) throw Problem.signedOut();
    const hash = createHash('sha256').update(token, 'base64url').digest();
    const key = `session:${hash.toString('base64url')}`;
    const found = await this.#find(key) ?? await this.#fetch(key, hash);
    const [user, facility, role, allowed] = found;
    if (!allowed) throw Problem.tooMany();
    if (role !== 'clinician') throw Problem.forbidden();
    return { user, facility: Number(facility) };
  }

  #find(key) {
    return this.#redis.signedIn(key, IDLE_SECONDS, EVERY_MS, BURST);
  }

  /** Whoever signed in elsewhere is taken over from the table, once. */
  async #fetch(key, hash) {
    const [session] = await this.#database.query(SESSION, [hash]);
    if (!session) throw Problem.signedOut();
    const { user_id: user, facility_id: facility, role } = session;
    await this.#redis.hset(key, { user, facility, role });
    return this.#find(key);
  }
}

const SESSION = {
  name: 'session',
  text: 'SELECT user_id, facility_id, role FROM sessions WHERE token_hash = $1 AND expires_at > now()',
};
