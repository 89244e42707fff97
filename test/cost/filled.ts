/** A document in which each table stands between two comments with its name: with these tables in their places. */
export function filled(document: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, table]) => {
    const place = new RegExp(`(<!-- table: ${name} -->\\n)[^]*?(<!-- end -->)`)
    if (!place.test(text)) throw new Error(`the document has no place for the table ${name}`)
    return text.replace(place, (_whole, begin: string, end: string) => `${begin}\n${table}\n\n${end}`)
  }, document)
}
