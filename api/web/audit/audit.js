// The audit page, for auditors and administrators: events, the signed log, legal holds; answers of a document; a question.

import { $, h, notify } from '../shared/dom.js';
import { Answers } from './answers.js';
import { auditHere } from './address.js';
import { Events } from './events.js';
import { Holds } from './holds.js';
import { logCard } from './log.js';
import { Record } from './record.js';

export class Audit {
  constructor() {
    this.opened = 0;
  }

  /** Show what the address says, until `close`. */
  async open() {
    const opened = (this.opened += 1);
    const { part, id, query } = auditHere();
    const shown = part === 'documents' ? new Answers(id, query.get('version') || '') : part === 'questions' ? new Record(id) : null;
    const events = shown ? null : new Events(query);
    const title = shown ? shown.title : 'audit.title';
    $('view-audit').replaceChildren(
      h('header', { class: 'audit-head' }, h('h1', { id: 'audit-title', tabindex: '-1', text: title }),
        shown ? h('a', { href: '#/audit', text: 'audit.back' }) : null),
      ...(shown ? [shown.element] : [h('p', { class: 'help', text: 'audit.lead' }), events.element]));
    $('audit-title').focus();
    try {
      if (shown) await shown.load();
      else await this.overview(events);
    } catch (problem) {
      if (opened !== this.opened || problem.status === 401) return;
      notify(problem.status === 403 ? 'audit.denied' : problem);
    }
  }

  async overview(events) {
    const holds = new Holds();
    events.aside.append(await logCard(), holds.element);
    await Promise.all([events.load(), holds.load()]);
  }

  close() {
    this.opened += 1;
    $('view-audit').replaceChildren();
  }
}
