// The page's addresses, in the hash, so that reload, back and forward work:
//   #/                    choose a knowledge base
//   #/kb/NAME             a knowledge base: its questions, or its documents while none is ready
//   #/kb/NAME/ask         a new conversation
//   #/kb/NAME/c/ID        a conversation
//   #/kb/NAME/documents   the documents
//   #/kb/NAME/index       the index of the documents
//   #/kb/NAME/sources     the folders and buckets that it follows

const PLACE = /^#\/kb\/([^/?]+)(?:\/(ask|documents|index|sources|c\/([^/?]+)))?\/?$/;

/** The current address → {kb, panel: null | 'ask' | 'documents' …, conversation}; kb is null if none is chosen. */
export function here() {
  const [, kb, rest, conversation] = PLACE.exec(location.hash) || [];
  try {
    return {
      kb: kb ? decodeURIComponent(kb) : null,
      panel: rest ? (['documents', 'index', 'sources'].includes(rest) ? rest : 'ask') : null,
      conversation: conversation ? decodeURIComponent(conversation) : null,
    };
  } catch {
    return { kb: null, panel: null, conversation: null };
  }
}

export const kbAddress = (kb) => `#/kb/${encodeURIComponent(kb)}`;
export const askAddress = (kb) => `${kbAddress(kb)}/ask`;
export const documentsAddress = (kb) => `${kbAddress(kb)}/documents`;
export const indexAddress = (kb) => `${kbAddress(kb)}/index`;
export const sourcesAddress = (kb) => `${kbAddress(kb)}/sources`;
export const conversationAddress = (kb, id) => `${kbAddress(kb)}/c/${encodeURIComponent(id)}`;

/** Replace the address without an entry in the history. */
export const rename = (address) => history.replaceState(null, '', address);
