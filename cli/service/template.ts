/** Fills in the words between @ signs, all at once: a value that looks like one stays as it is. */
export function fillIn(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/@([A-Z]+)@/g, (whole, name) => values[name] ?? whole);
}
