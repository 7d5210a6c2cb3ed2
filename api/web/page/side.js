// The sidebar with the conversations and the links to the documents, the index and the settings; a drawer on narrow screens.

import { $ } from '../shared/dom.js';

const NARROW = matchMedia('(max-width: 860px)');

export class Side {
  constructor() {
    this.isOpen = false;
    $('side-open').addEventListener('click', () => this.set(!this.isOpen));
    $('side-scrim').addEventListener('click', () => this.close());
    $('side').addEventListener('click', (event) => event.target.closest('a') && this.set(false));
    NARROW.addEventListener('change', () => this.set(false));
    this.set(false);
  }

  set(isOpen) {
    this.isOpen = isOpen && NARROW.matches;
    $('side').inert = NARROW.matches && !this.isOpen;
    $('side').dataset.open = this.isOpen;
    $('side-scrim').hidden = !this.isOpen;
    for (const id of ['panel-ask', 'panel-documents', 'panel-index', 'panel-settings', 'panel-sources', 'panel-access']) {
      $(id).inert = this.isOpen;
    }
    $('side-open').setAttribute('aria-expanded', String(this.isOpen));
    if (this.isOpen) $('side-new').focus();
  }

  /** Close the drawer; returns whether it was open. */
  close() {
    const { isOpen } = this;
    this.set(false);
    if (isOpen) $('side-open').focus();
    return isOpen;
  }
}
