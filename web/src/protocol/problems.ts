// RFC 9457 problem details, and which field of the order form each of their pointers speaks of.

import { each, isObject, list, text } from './fields';
import type * as wire from './generated';

export interface Problem {
  title: string;
  detail: string;
  errors: { pointer: string; detail: string }[];
}

export function readProblem(value: unknown, status: number): Problem {
  const source = isObject<wire.Problem>(value) ? value : {};
  const errors = each(list(source, 'errors'), readFieldError);
  return {
    title: text(source, 'title') ?? `The server answered ${status}`,
    detail: text(source, 'detail') ?? '',
    errors,
  };
}

function readFieldError(value: unknown): Problem['errors'][number] | null {
  if (!isObject<NonNullable<wire.Problem['errors']>[number]>(value)) return null;
  const detail = text(value, 'detail');
  return detail === undefined ? null : { detail, pointer: text(value, 'pointer') ?? '' };
}

/** A problem sorted by form field; `''` holds what belongs to no field. */
export type FieldErrors = Readonly<Record<string, string>>;

/**
 * Sorts a problem's errors by the longest of `fields` (JSON pointers to form field names) that covers the pointer.
 * Several errors of one field are joined; a problem without any pointer lands under `''`.
 */
export function errorsByField(problem: Problem, fields: Readonly<Record<string, string>>): FieldErrors {
  const sorted: Record<string, string> = {};
  const add = (field: string, detail: string): void => {
    sorted[field] = sorted[field] === undefined ? detail : `${sorted[field]} ${detail}`;
  };
  for (const { pointer, detail } of problem.errors) {
    // Both spellings are in use: "/amount" (RFC 6901) and "#/amount" (its URI fragment form).
    const field = fieldOf(pointer.replace(/^#/, ''), fields);
    add(field, field === '' && pointer !== '' ? `${pointer}: ${detail}` : sentence(detail));
  }
  if (problem.errors.length === 0) add('', problem.detail || problem.title);
  return sorted;
}

/** Details come as parts of a sentence ("is required"); alone below a field they are one. */
function sentence(detail: string): string {
  const ended = /[.!?]$/.test(detail) ? detail : `${detail}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

function fieldOf(pointer: string, fields: Readonly<Record<string, string>>): string {
  for (let prefix = pointer; prefix !== ''; prefix = prefix.slice(0, prefix.lastIndexOf('/'))) {
    const field = fields[prefix];
    if (field !== undefined) return field;
  }
  return '';
}
