// The page of users and groups, for administrators.

import { $, h, notify } from '../shared/dom.js';
import { Groups } from './groups.js';
import { Users } from './users.js';

/** Whether the current address is that of the people. */
export const atPeople = () => /^#\/people\/?$/.test(location.hash);

export class People {
  /** `me()` is who is signed in. */
  constructor(me) {
    this.me = me;
    this.isOpen = false;
  }

  async open() {
    this.isOpen = true;
    const users = new Users(this.me);
    const groups = new Groups();
    $('view-people').replaceChildren(
      h('header', { class: 'people-head' }, h('h1', { id: 'people-title', tabindex: '-1', text: 'people.title' }),
        h('a', { href: '#/', text: 'people.back' })),
      h('p', { text: 'people.lead' }), users.element, groups.element);
    $('people-title').focus();
    try {
      await Promise.all([users.load(), groups.load()]);
    } catch (problem) {
      if (problem.status !== 401 && this.isOpen) notify(problem);
    }
  }

  close() {
    this.isOpen = false;
    $('view-people').replaceChildren();
  }
}
