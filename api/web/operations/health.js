// The dependencies of the platform as a strip: ready or not, how fast they answer, since when.

import { $, h } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';
import { moment } from '../shared/format.js';
import { Rows } from './rows.js';

const NAMES = {
  temporal: 'operations.service_temporal',
  catalog: 'operations.service_catalog',
  blobs: 'operations.service_blobs',
  milvus: 'operations.service_milvus',
  triton: 'operations.service_triton',
};

export class Health {
  constructor() {
    this.rows = new Rows($('ops-health'), () => card());
  }

  show(dependencies) {
    this.rows.show(dependencies, ({ name }) => name);
  }

  clear() {
    this.rows.clear();
  }
}

function card() {
  const name = h('span', { class: 'ops-name' });
  const state = h('span', { class: 'ops-state' });
  const facts = h('span', { class: 'ops-facts' });
  const detail = h('p', { class: 'ops-detail', hidden: true });
  const element = h('li', { class: 'ops-dependency' }, h('div', {}, name, state), facts, detail);
  return {
    element,
    show(each) {
      element.dataset.ready = each.ready;
      bind(name, NAMES[each.name] || 'app.value', { value: each.name });
      bind(state, each.ready ? 'operations.health_up' : 'operations.health_down');
      facts.replaceChildren(...(each.ready ? [h('span', { text: ['operations.latency', { ms: each.latency_ms }] })] : []),
        h('span', { text: ['operations.since', { when: () => moment(each.since) }] }));
      detail.textContent = each.detail || '';
      detail.hidden = !each.detail;
    },
  };
}
