// The SDK's files import each other without endings and JSON without attributes, as bundlers take
// them. This teaches node the same; the SDK itself stays as it was published.
import { register } from 'node:module'

const hooks = `
export async function resolve(name, context, next) {
  try {
    return await next(name, context)
  } catch (e) {
    if (!name.startsWith('.')) throw e
    return next(name + '.js', context).catch(() => next(name + '/index.js', context))
  }
}
export async function load(url, context, next) {
  if (url.endsWith('.json')) context = { ...context, importAttributes: { type: 'json' } }
  return next(url, context)
}`
register('data:text/javascript,' + encodeURIComponent(hooks))
