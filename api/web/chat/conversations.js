// The list of conversations: opens, renames, exports and deletes them.

import { call, download } from '../shared/api.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { askForText, confirmDelete } from '../shared/dialogs.js';
import { menuButton } from '../shared/menu.js';
import { save } from '../documents/original.js';
import { conversationAddress } from '../shared/route.js';

const PAGE = 30;
const DAY_MS = 86_400_000;

const path = (id) => `/conversations/${encodeURIComponent(id)}`;

/** The heading of a conversation in the list, by the time of its last use. */
function age(when) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const at = new Date(when).getTime();
  return at >= midnight ? 'conversation.today' : at >= midnight - 6 * DAY_MS ? 'conversation.week' : 'conversation.older';
}

export class Conversations {
  /** `onRenamed(id, title)`, `onDeleted(id)`. */
  constructor({ onRenamed, onDeleted }) {
    Object.assign(this, { onRenamed, onDeleted, kb: null, shown: null, items: [], visit: 0 });
    $('conversations-more').addEventListener('click', () => this.load());
  }

  async open(kb) {
    this.close();
    this.kb = kb;
    await this.load();
  }

  close() {
    this.visit += 1;
    this.kb = null;
    this.items = [];
    this.cursor = null;
    this.draw();
  }

  /** Mark the open conversation. */
  mark(id) {
    this.shown = id;
    for (const link of $('conversations').querySelectorAll('a')) {
      if (link.dataset.id === id) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }

  /** Load the next page, or (`again`) reload the first one. If the call fails, the list is unchanged. */
  async load(again = false) {
    const { kb, visit } = this;
    if (!kb) return;
    const cursor = again ? null : this.cursor;
    const page = await call('GET', '/conversations', { query: { kb, cursor, limit: String(PAGE) } }).catch(() => null);
    if (!page || visit !== this.visit) return;
    const ids = new Set(page.items.map(({ id }) => id));
    const others = this.items.filter(({ id }) => !ids.has(id));
    this.items = again ? [...page.items, ...others] : [...others, ...page.items];
    if (!again || this.items.length <= PAGE) this.cursor = page.next_cursor;
    this.draw();
  }

  draw() {
    const focused = document.activeElement?.closest?.('#conversations li')?.dataset.id;
    const rows = [];
    let heading = null;
    for (const item of this.items) {
      const under = age(item.updated_at);
      if (under !== heading) rows.push(h('li', { class: 'age', text: under }));
      heading = under;
      rows.push(this.row(item));
    }
    $('conversations').replaceChildren(...rows);
    $('conversations-none').hidden = rows.length > 0;
    $('conversations-more').hidden = !this.cursor;
    this.mark(this.shown);
    if (focused) $('conversations').querySelector(`[data-id="${focused}"] a`)?.focus();
  }

  row(item) {
    const title = item.title || t('conversation.untitled');
    return h('li', { data: { id: item.id } },
      h('a', { href: conversationAddress(this.kb, item.id), title, data: { id: item.id } }, title),
      menuButton(['conversation.menu', { title }], () => [
        { text: 'conversation.rename', run: () => this.rename(item) },
        { text: 'conversation.export_markdown', run: () => this.export(item, 'markdown', 'md') },
        { text: 'conversation.export_json', run: () => this.export(item, 'json', 'json') },
        { text: 'conversation.delete', run: () => this.remove(item), danger: true },
      ]));
  }

  async rename(item) {
    const title = await askForText('conversation.rename_title', 'conversation.title', item.title || '');
    if (!title || title === item.title) return;
    try {
      await call('PATCH', path(item.id), { body: { title } });
      item.title = title;
      this.draw();
      this.onRenamed(item.id, title);
    } catch (problem) {
      notify(problem);
    }
  }

  async export(item, format, extension) {
    try {
      const blob = await download(`${path(item.id)}/export?format=${format}`);
      save(blob, `${(item.title || item.id).replace(/[\\/:*?"<>|\s]+/g, ' ').trim().slice(0, 80)}.${extension}`);
    } catch (problem) {
      notify(problem);
    }
  }

  async remove(item) {
    const title = item.title || t('conversation.untitled');
    if (!(await confirmDelete('conversation.delete_title', ['conversation.delete_text', { title }]))) return;
    try {
      await call('DELETE', path(item.id));
    } catch (problem) {
      if (problem.status !== 404) {
        notify(problem);
        return;
      }
    }
    this.items = this.items.filter((other) => other !== item);
    this.draw();
    announce(t('conversation.deleted'));
    this.onDeleted(item.id);
  }
}
