// What is wrong, as application/problem+json (RFC 9457).

export class Problem extends Error {
  constructor(status, kind, detail, more = {}) {
    super(detail);
    this.status = status;
    this.kind = kind;
    this.more = more;
  }

  static notFound = () => new Problem(404, 'not-found', 'there is no such record in your facility');
  static signedOut = () => new Problem(401, 'signed-out', 'sign in, or sign in again: there is no session, or it has ended');
  static forbidden = () => new Problem(403, 'forbidden', 'this needs the role clinician');
  static forgery = () => new Problem(403, 'forgery', 'a request that changes something must carry the header X-Hysio-Request: 1');
  static tooMany = () => new Problem(429, 'too-many-requests', 'too many requests: try again in 1 s');
  static invalid = detail => new Problem(422, 'invalid', detail);

  /** Of anything that was thrown: only what was meant for the caller gets there. */
  static of(error) {
    if (error instanceof Problem) return error;
    const status = error.statusCode ?? error.status;
    if (status >= 400 && status < 500) return new Problem(status, 'invalid', error.message);
    console.error(error);
    return new Problem(500, 'internal', 'something is wrong on our side');
  }

  toJSON() {
    return { type: `/problems/${this.kind}`, title: this.kind.replaceAll('-', ' '), status: this.status, detail: this.message, ...this.more };
  }
}
