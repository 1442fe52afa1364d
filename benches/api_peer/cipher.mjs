// AES-256-GCM in Hysio's own formats (docs/adr/0005-encryption.md), so that both open and seal the same rows.

import { createCipheriv, createDecipheriv, createHash, createSecretKey, randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

const ALGORITHM = 'aes-256-gcm';
const FORMAT = 1;
const NONCE = 12;
const TAG = 16;
const HEAD = 1 + 4 + NONCE;

/** Reads the master keys of a file, by their ids. */
export function masterKeys(path) {
  const lines = readFileSync(path, 'utf8').split('\n').map(line => line.split('#')[0].trim());
  return new Map(lines.filter(Boolean).map(line => {
    const secret = Buffer.from(line, line.length === 64 ? 'hex' : 'base64');
    const id = createHash('sha256').update('hysio master key id').update(secret).digest('hex').slice(0, 16);
    return [id, createSecretKey(secret)];
  }));
}

/** A facility's data keys, from their rows of encryption_keys. The newest seals, all open. */
export class FacilityKeys {
  #facility;
  #versions = new Map();
  #newest = 0;
  #bound = new Map();

  constructor(facility, rows, masters) {
    this.#facility = u32(facility);
    for (const { version, master_key_id: id, wrapped_key: wrapped } of rows) {
      const aad = bind('hysio wrapped key 1', 'data', this.#facility, u32(version), id);
      const secret = decrypt(masters.get(id), wrapped.subarray(0, NONCE), aad, wrapped.subarray(NONCE));
      this.#versions.set(version, createSecretKey(secret));
      this.#newest = Math.max(this.#newest, version);
    }
  }

  /** The value of a BYTEA column. */
  open(table, column, row, sealed) {
    if (sealed[0] !== FORMAT) throw new Error(`${table}.${column} of row ${row} is not sealed`);
    return this.#open(table, column, row, sealed.readUInt32BE(1), sealed.subarray(5, HEAD), sealed.subarray(HEAD));
  }

  /** The document of a JSONB column's envelope. */
  openDocument(table, column, row, { v, k, n, c }) {
    if (v !== FORMAT) throw new Error(`${table}.${column} of row ${row} is not sealed`);
    return this.#open(table, column, row, k, Buffer.from(n, 'base64'), Buffer.from(c, 'base64'));
  }

  /** An envelope for a JSONB column. */
  sealDocument(table, column, row, document) {
    const version = this.#newest;
    const nonce = randomFillSync(Buffer.allocUnsafe(NONCE));
    const cipher = createCipheriv(ALGORITHM, this.#versions.get(version), nonce);
    cipher.setAAD(this.#place(table, column, row, version));
    const sealed = Buffer.concat([cipher.update(JSON.stringify(document), 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return { v: FORMAT, k: version, n: nonce.toString('base64'), c: sealed.toString('base64') };
  }

  #open(table, column, row, version, nonce, sealed) {
    return JSON.parse(decrypt(this.#versions.get(version), nonce, this.#place(table, column, row, version), sealed));
  }

  /** What binds a value to where it is stored; all but the row is made once. */
  #place(table, column, row, version) {
    const name = `${table}.${column}.${version}`;
    let bound = this.#bound.get(name);
    if (!bound) {
      bound = [bind('hysio field 1', this.#facility, table), bind(column, u32(version))];
      this.#bound.set(name, bound);
    }
    return Buffer.concat([bound[0], bind(row), bound[1]]);
  }
}

function decrypt(key, nonce, aad, sealed) {
  const end = sealed.length - TAG;
  const decipher = createDecipheriv(ALGORITHM, key, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  decipher.final();
  return plain;
}

/** Joins parts, each after its length. */
function bind(...parts) {
  return Buffer.concat(parts.flatMap(part => [u32(Buffer.byteLength(part)), Buffer.from(part)]));
}

function u32(number) {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(number);
  return bytes;
}
