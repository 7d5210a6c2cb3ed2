// A provider for tests: node server.js '{"port", "client": {…}, "people": {sub: claims}}'. Every password is right.

import { Provider } from 'oidc-provider';

const { port, client, people } = JSON.parse(process.argv[2]);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  claims: { openid: ['sub', 'sid'], profile: ['name', 'preferred_username', 'groups'], email: ['email'] },
  cookies: { keys: ['only for tests'] },
  features: { backchannelLogout: { enabled: true } },
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options), // its own leaves out this machine
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, preferred_username: sub, ...people[sub] }) }),
});
provider.on('backchannel.error', (_, error) => console.error('back-channel logout:', error));
provider.on('server_error', (_, error) => console.error(error));
provider.listen(port, '127.0.0.1', () => console.log('ready'));
