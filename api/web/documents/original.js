// The uploaded file. It is fetched by a call, because a link cannot carry the key, and shown in a new tab if it cannot
// run scripts in this origin; other files are saved.

import { download } from '../shared/api.js';
import { h } from '../shared/dom.js';

const KEPT = 5;
const SHOWN = /^(?:application\/pdf|image\/(?:png|jpeg|gif|webp|avif|bmp)|text\/(?:plain|markdown|csv|tab-separated-values))$/;
const urls = new Map(); // document and version → URL of its bytes

/** Whether a browser can show this media type. */
export const isShown = (mediaType) => SHOWN.test(mediaType || '');

async function address({ id, version, media_type: mediaType }) {
  const key = `${id}:${version}`;
  if (!urls.has(key)) {
    const bytes = await download(`/documents/${encodeURIComponent(id)}/content`);
    const type = mediaType.startsWith('text/') ? `text/plain${await charset(bytes)}` : mediaType;
    urls.set(key, URL.createObjectURL(new Blob([bytes], { type: isShown(mediaType) ? type : 'application/octet-stream' })));
    const [oldest] = urls.keys();
    if (urls.size > KEPT) {
      URL.revokeObjectURL(urls.get(oldest));
      urls.delete(oldest);
    }
  }
  return urls.get(key);
}

/** Declare UTF-8 if the bytes are valid UTF-8; otherwise the browser guesses the encoding. */
async function charset(bytes) {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(await bytes.slice(0, 65_536).arrayBuffer(), { stream: true });
    return '; charset=utf-8';
  } catch {
    return '';
  }
}

/** Open a document {id, name, version, media_type}, a PDF at a page. Throws a Problem. */
export async function openOriginal(item, page) {
  // Opens the tab within the click event, or a popup blocker refuses it; the bytes follow later.
  const tab = isShown(item.media_type) ? window.open('', '_blank') : null;
  try {
    const url = await address(item);
    if (tab && !tab.closed) tab.location.replace(page && item.media_type === 'application/pdf' ? `${url}#page=${page}` : url);
    else save(url, item.name);
  } catch (problem) {
    tab?.close();
    throw problem;
  }
}

/** Save the content of a URL or a Blob under a name. */
export function save(what, name) {
  const url = typeof what === 'string' ? what : URL.createObjectURL(what);
  h('a', { href: url, download: name.split('/').at(-1) }).click();
  if (typeof what !== 'string') setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
