// Documents that failed, grouped by reason, with a retry of each group.

import { call } from '../shared/api.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { bind, bindAttr, t } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { Rows } from './rows.js';

export class FailuresView {
  constructor() {
    this.rows = new Rows($('ops-failures'), ({ code }) => group(code));
  }

  show(failures) {
    const list = $('ops-failures');
    const held = list.contains(document.activeElement);
    this.rows.show(failures, ({ code }) => code);
    if (held && !list.contains(document.activeElement)) $('ops-failures-title').focus(); // its group is retried
    $('ops-no-failures').hidden = failures.length > 0;
  }

  clear() {
    this.rows.clear();
    $('ops-retried').hidden = true;
  }
}

function group(code) {
  const count = h('span', { class: 'ops-number' });
  const text = h('p', { class: 'ops-reason' });
  const facts = h('p', { class: 'ops-facts' });
  const where = h('select', { labels: { 'aria-label': 'operations.in_kb' } });
  const retry = h('button', {
    type: 'button', class: 'secondary small', text: 'operations.retry',
    labels: { 'aria-label': ['operations.retry_label', { code }] },
  });
  const element = h('li', { class: 'ops-failure', data: { code } },
    count, h('div', {}, text, facts), h('span', { class: 'ops-retry' }, where, retry));
  let kept = '';

  retry.addEventListener('click', async () => {
    retry.disabled = true;
    try {
      const body = { reason_code: code, ...(where.value && { knowledge_base: where.value }) };
      const asked = await call('POST', '/operations/failures/retry', { body });
      $('ops-retried').replaceChildren(
        h('span', { text: ['operations.retried', { n: asked.documents, code }] }), ' ',
        h('a', { href: asked.temporal_url, target: '_blank', rel: 'noreferrer', text: 'operations.run' }));
      $('ops-retried').hidden = false;
      announce(t('operations.retried', { n: asked.documents, code }));
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    } finally {
      retry.disabled = false;
    }
  });

  return {
    element,
    show(failure) {
      bind(count, 'app.value', { value: failure.documents });
      bindAttr(count, 'title', 'operations.affected', { n: failure.documents });
      text.replaceChildren(h('code', {}, code), ' ', failure.text);
      const names = failure.knowledge_bases.map(({ name }) => name).join(', ');
      where.hidden = failure.knowledge_bases.length < 2;
      facts.replaceChildren(
        h('span', { text: ['operations.in', { names }] }),
        h('span', { text: ['operations.example', { name: failure.example, when: () => moment(failure.last_at) }] }),
        h('span', { text: ['operations.first', { when: () => moment(failure.first_at) }] }));
      const bases = JSON.stringify(failure.knowledge_bases);
      if (bases === kept) return;
      kept = bases;
      const chosen = where.value;
      where.replaceChildren(
        h('option', { value: '', text: ['operations.in_all', { n: failure.documents }] }),
        ...failure.knowledge_bases.map(({ name, documents }) =>
          h('option', { value: name, text: ['operations.in_one', { name, n: documents }] })));
      where.value = failure.knowledge_bases.some(({ name }) => name === chosen) ? chosen : '';
    },
  };
}
