// What the scripts share: where the sandbox is, and how a difference ends a script.
//
// SANDBOX_URL is its address. SANDBOX_EMAIL, SANDBOX_TOKEN, SANDBOX_CLIENT_ID and SANDBOX_CLIENT_SECRET are what it
// accepts; it must give consent without asking.

const need = (name) => {
  const value = process.env[name];
  if (!value) {
    console.error(`${name} is not set`);
    process.exit(2);
  }
  return value;
};

export const base = need('SANDBOX_URL');
export const site = `${base}/acme`;
export const basic = { type: 'basic', email: need('SANDBOX_EMAIL'), apiToken: need('SANDBOX_TOKEN') };
export const app = { clientId: need('SANDBOX_CLIENT_ID'), clientSecret: need('SANDBOX_CLIENT_SECRET') };
export const redirectUri = 'http://127.0.0.1:8976/callback';

let requests = 0;
const original = globalThis.fetch;

// The clients know Atlassian's addresses by heart. Only the host of a request is another one here.
const hosts = { 'https://auth.atlassian.com': `${base}/auth`, 'https://api.atlassian.com': `${base}/api` };
export const atSandbox = (url) => {
  const from = Object.keys(hosts).find((host) => url.startsWith(`${host}/`));
  return from ? hosts[from] + url.slice(from.length) : url;
};
globalThis.fetch = (url, init) => {
  requests += 1;
  const to = atSandbox(String(url));
  if (!to.startsWith(`${base}/`)) {
    throw new Error(`a request to ${to} leaves the sandbox`);
  }
  return original(to, init);
};

export const counts = async () => (await original(`${base}/control/acme/counts`)).json();

let checks = 0;
export const same = (what, got, want) => {
  checks += 1;
  if (got !== want) {
    throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  }
};
export const distinct = (what, ids) => same(`${what}, distinct`, new Set(ids).size, ids.length);

// connect goes the whole way of OAuth 2.0 with the helpers of a client, and returns the tokens.
export const connect = async (client, scopes) => {
  const state = `state-${process.pid}`;
  const ask = client.generateAuthorizationUrl({ clientId: app.clientId, scopes, redirectUri, state });
  const consent = await fetch(ask, { redirect: 'manual' });
  same('consent', consent.status, 302);
  const { code } = client.parseCallbackUrl(consent.headers.get('location'), { expectedState: state });
  return client.exchangeAuthorizationCode({ ...app, code, redirectUri });
};

// main runs a script; it ends with one clear line either way.
export const main = async (name, run) => {
  try {
    await run();
    console.log(`${name}: ok, ${checks} checks, ${requests} requests`);
  } catch (error) {
    console.error(`${name}: ${error.message}${error.cause ? ` (${error.cause.message ?? error.cause})` : ''}`);
    if (process.env.SANDBOX_VERBOSE) console.error(error);
    process.exit(1);
  }
};
