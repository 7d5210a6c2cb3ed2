// The page's addresses, in the hash, so that reload, back and forward work:
//   #/                    choose a knowledge base
//   #/kb/NAME             a knowledge base: its questions, or its documents while none is ready
//   #/kb/NAME/ask         a new conversation
//   #/kb/NAME/c/ID        a conversation
//   #/kb/NAME/documents   the documents (?state=…&search=…: those that match)
//   #/kb/NAME/index       the index of the documents (?max=…: the form for another one, filled in)
//   #/kb/NAME/settings    the settings of the knowledge base
//   #/kb/NAME/sources     the folders and buckets that it follows
//   #/kb/NAME/access      who may do what in it
//   #/keys                one's own API keys
//   #/people              users and groups
//   #/audit               the audit trail (?actor=…&action=…: the events that match; see audit/address.js)
//   #/invitation/TOKEN    an invited person chooses a password
//   #/sign-in             signing in (?refused=…: why the provider's answer was refused)
//   #/signed-in           where the provider's answer leads
//   #/operations          the operations of the platform

const PLACE = /^#\/kb\/([^/?]+)(?:\/(ask|documents|index|settings|sources|access|c\/([^/?]+)))?\/?(?:\?(.*))?$/;
const PANELS = ['documents', 'index', 'settings', 'sources', 'access'];

/**
 * The current address → {kb, panel: null | 'ask' | one of PANELS, conversation, query: URLSearchParams}; kb is null if
 * none is chosen.
 */
export function here() {
  const [, kb, rest, conversation, query] = PLACE.exec(location.hash) || [];
  try {
    return {
      kb: kb ? decodeURIComponent(kb) : null,
      panel: rest ? (PANELS.includes(rest) ? rest : 'ask') : null,
      conversation: conversation ? decodeURIComponent(conversation) : null,
      query: new URLSearchParams(query || ''),
    };
  } catch {
    return { kb: null, panel: null, conversation: null, query: new URLSearchParams() };
  }
}

const withQuery = (address, query) => (query && String(query) ? `${address}?${query}` : address);

/** Whether the current address is that of the operations page. */
export const atOperations = () => /^#\/operations\/?$/.test(location.hash);

export const kbAddress = (kb) => `#/kb/${encodeURIComponent(kb)}`;
export const askAddress = (kb) => `${kbAddress(kb)}/ask`;
export const documentsAddress = (kb, query) => withQuery(`${kbAddress(kb)}/documents`, query);
export const indexAddress = (kb, query) => withQuery(`${kbAddress(kb)}/index`, query);
export const settingsAddress = (kb) => `${kbAddress(kb)}/settings`;
export const sourcesAddress = (kb) => `${kbAddress(kb)}/sources`;
export const accessAddress = (kb) => `${kbAddress(kb)}/access`;
export const conversationAddress = (kb, id) => `${kbAddress(kb)}/c/${encodeURIComponent(id)}`;

/** Replace the address without an entry in the history. */
export const rename = (address) => history.replaceState(null, '', address);

/** Make the address an entry of the history, without a `hashchange`. */
export const visit = (address) => history.pushState(null, '', address);
