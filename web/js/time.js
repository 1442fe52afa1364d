// Times and dates as numbers and text. Pure: "now" can always be given.

/** 65.4 → "1:05", 3723 → "1:02:03". What is not a time is shown as "–:––". */
export function clock(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "–:––";
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Whole years between a birth date ("YYYY-MM-DD") and a local day; null when it can't be one. */
export function age(birthDate, now) {
  const [year, month, day] = dateParts(birthDate) ?? [];
  if (year === undefined) return null;
  const before = now.getMonth() + 1 < month || (now.getMonth() + 1 === month && now.getDate() < day);
  const years = now.getFullYear() - year - (before ? 1 : 0);
  return years >= 0 ? years : null;
}

/** [year, month, day] of a real calendar day written "YYYY-MM-DD", else null. */
export function dateParts(text) {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text ?? "");
  if (!match) return null;
  const [year, month, day] = match.slice(1).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? [year, month, day] : null;
}

/** A day as people here type it (1961-03-12, 12-3-1961, 12/03/1961, 12.3.1961) as "YYYY-MM-DD", else null. */
export function typedDate(text) {
  const local = /^\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\s*$/.exec(text);
  const iso = local ? `${local[3]}-${local[2].padStart(2, "0")}-${local[1].padStart(2, "0")}` : text.trim();
  return dateParts(iso) ? iso : null;
}

/** The local calendar day as "YYYY-MM-DD". */
export function today(now = new Date()) {
  const two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/** Whether two instants fall on the same local day. */
export function sameDay(a, b) {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

/** Bytes for people: 900 → "900 B", 1_500_000 → "1.4 MB". */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, count)) / 10));
  const value = count / 1024 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`;
}

/** "idle" phases of a session: active, warning (with the seconds left) or over. */
export function idlePhase({ now, lastActivity, timeoutSeconds, warnSeconds }) {
  const left = Math.ceil(timeoutSeconds - (now - lastActivity) / 1000);
  if (left <= 0) return { phase: "over", left: 0 };
  return { phase: left <= warnSeconds ? "warning" : "active", left };
}

/** Milliseconds before try `attempt` (from 1): what the server asked for, else 1, 2, 4 … 30 s. */
export function retryDelay(attempt, retryAfterSeconds) {
  const LONGEST_MS = 30_000;
  if (Number.isFinite(retryAfterSeconds)) return Math.min(Math.max(retryAfterSeconds, 1) * 1000, 10 * LONGEST_MS);
  return Math.min(1000 * 2 ** (attempt - 1), LONGEST_MS);
}
