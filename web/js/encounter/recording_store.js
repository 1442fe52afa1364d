// Recordings kept in this browser (IndexedDB) until the server has accepted them, so that a crash, a reload
// or a lost network never costs a dictation. They are not encrypted here: a key would lie on the same disk.

const NAME = "hysio-recordings";
const VERSION = 1;
let opened = null;

/** Recording = {id, user_id, encounter_id, media_type, started_at, seconds, finished}. Its id is its Idempotency-Key. */
export function saveRecording(recording) {
  return change(["recordings"], (tx) => tx.objectStore("recordings").put(recording));
}

export function saveChunk(recordingId, sequence, blob) {
  return change(["chunks"], (tx) => tx.objectStore("chunks").put(blob, [recordingId, sequence]));
}

/** The recording as one blob, in the order its chunks came. */
export async function recordingBlob({ id, media_type }) {
  const chunks = await read("chunks", (store) => store.getAll(chunksOf(id)));
  return new Blob(chunks, { type: media_type });
}

export function deleteRecording(id) {
  return change(["recordings", "chunks"], (tx) => {
    tx.objectStore("recordings").delete(id);
    tx.objectStore("chunks").delete(chunksOf(id));
  });
}

/** Recordings of one user that the server hasn't accepted yet, oldest first. */
export async function unsentRecordings(userId) {
  const all = await read("recordings", (store) => store.getAll());
  return all.filter(({ user_id }) => user_id === userId).sort((a, b) => a.started_at.localeCompare(b.started_at));
}

function chunksOf(id) {
  return IDBKeyRange.bound([id, 0], [id, Number.MAX_SAFE_INTEGER]);
}

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("recordings", { keyPath: "id" });
      request.result.createObjectStore("chunks");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function change(stores, act) {
  const tx = (await database()).transaction(stores, "readwrite", { durability: "strict" });
  act(tx);
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onerror = tx.onabort = () => reject(tx.error);
  });
}

async function read(store, ask) {
  const request = ask((await database()).transaction(store).objectStore(store));
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
