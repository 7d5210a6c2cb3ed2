// Rows that are kept while their data change, so that focus and selection stay where they are.

/** The children of `parent`: one for each item, by its key. `make(item)` returns {element, show(item)}. */
export class Rows {
  constructor(parent, make) {
    Object.assign(this, { parent, make, rows: new Map() });
  }

  show(items, keyOf) {
    const keys = new Set(items.map(keyOf));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
    items.forEach((item, index) => {
      const key = keyOf(item);
      if (!this.rows.has(key)) this.rows.set(key, this.make(item));
      const row = this.rows.get(key);
      row.show(item);
      if (this.parent.children[index] !== row.element) this.parent.insertBefore(row.element, this.parent.children[index] || null);
    });
  }

  clear() {
    this.rows.clear();
    this.parent.replaceChildren();
  }
}
