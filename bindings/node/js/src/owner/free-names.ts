// Which names a function takes from outside of itself, by the scopes of its syntax tree.
//
// A scope is filled before what lies in it is walked, so a name is looked up where it is met:
// `var` belongs to its function, everything else to its block, as in strict code. Parameters have a
// scope of their own, because their defaults do not see what the body declares.

import { ArrayIsArray, bareList, ObjectKeys, SafeSet } from '../base/intrinsics.js';

/** A node of the tree, in the form of ESTree. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number; readonly column: number } };
  readonly [key: string]: unknown;
}

/** A name that is not declared in the function, and where it is first used. */
export interface FreeName {
  readonly name: string;
  readonly node: SyntaxNode;
}

/** The free names of a function, each once, in the order in which they are met. */
export function freeNames(fn: SyntaxNode): readonly FreeName[] {
  const walker = new ScopeWalker();
  walker.visit(fn, null, kNothing);
  return walker.found;
}

interface Scope {
  readonly names: SafeSet<string>;
  readonly outer: Scope | null;
}

/** How much of `this` and `super` belongs to something within the function. */
type Own = 0 | 1 | 2;
const kNothing = 0;
/** All but `super`. */
const kThis = 1;
const kSuper = 2;

type Visit = (walker: ScopeWalker, node: SyntaxNode, scope: Scope | null, own: Own) => void;

class ScopeWalker {
  readonly found = bareList<FreeName>();
  readonly #seen = new SafeSet<string>();

  visit(node: SyntaxNode, scope: Scope | null, own: Own): void {
    const visit = visitorOf(node.type);
    if (visit !== undefined) visit(this, node, scope, own);
    else this.visitParts(node, scope, own);
  }

  visitParts(node: SyntaxNode, scope: Scope | null, own: Own): void {
    eachPart(node, (part) => this.visit(part, scope, own));
  }

  visitAll(nodes: unknown, scope: Scope | null, own: Own): void {
    eachOf(nodes, (node) => this.visit(node, scope, own));
  }

  use(name: string, node: SyntaxNode, scope: Scope | null): void {
    for (let at = scope; at !== null; at = at.outer) if (at.names.has(name)) return;
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    this.found[this.found.length] = { name, node };
  }
}

function visitorOf(type: string): Visit | undefined {
  switch (type) {
    case 'Identifier':
      return (walker, node, scope) => walker.use(node['name'] as string, node, scope);
    case 'ThisExpression':
      return (walker, node, scope, own) => own >= kThis || walker.use('this', node, scope);
    case 'Super':
      return (walker, node, scope, own) => own >= kSuper || walker.use('super', node, scope);
    case 'MetaProperty':
      return visitMeta;
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return visitFunction;
    case 'ClassDeclaration':
    case 'ClassExpression':
      return visitClass;
    case 'MemberExpression':
      return (walker, node, scope, own) => {
        walker.visit(node['object'] as SyntaxNode, scope, own);
        if (node['computed'] === true) walker.visit(node['property'] as SyntaxNode, scope, own);
      };
    case 'Property':
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return visitMember;
    case 'StaticBlock':
      return (walker, node, scope) => visitBody(walker, node['body'], scope, kSuper);
    case 'LabeledStatement':
      return (walker, node, scope, own) => walker.visit(node['body'] as SyntaxNode, scope, own);
    case 'BreakStatement':
    case 'ContinueStatement':
      return () => undefined;
    default:
      return blockVisitorOf(type);
  }
}

function blockVisitorOf(type: string): Visit | undefined {
  switch (type) {
    case 'BlockStatement':
      return (walker, node, scope, own) =>
        walker.visitAll(node['body'], blockScope(node['body'], scope), own);
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
      return (walker, node, scope, own) => {
        const head = node[type === 'ForStatement' ? 'init' : 'left'];
        walker.visitParts(node, blockScope([head], scope), own);
      };
    case 'SwitchStatement':
      return visitSwitch;
    case 'CatchClause':
      return (walker, node, scope, own) => {
        const inner = newScope(scope);
        if (isNode(node['param'])) declarePattern(node['param'], inner);
        walker.visitParts(node, inner, own);
      };
    default:
      return undefined;
  }
}

function visitMeta(walker: ScopeWalker, node: SyntaxNode, scope: Scope | null, own: Own): void {
  if ((node['meta'] as SyntaxNode)['name'] === 'import') walker.use('import.meta', node, scope);
  else if (own < kThis) walker.use('new.target', node, scope);
}

function visitFunction(walker: ScopeWalker, node: SyntaxNode, scope: Scope | null, own: Own): void {
  const isArrow = node.type === 'ArrowFunctionExpression';
  const inner = isArrow || own > kThis ? own : kThis;
  const parameters = newScope(scope);
  if (!isArrow) parameters.names.add('arguments');
  if (node.type === 'FunctionExpression' && isNode(node['id']))
    declarePattern(node['id'], parameters);
  eachOf(node['params'], (param) => declarePattern(param, parameters));
  walker.visitAll(node['params'], parameters, inner);
  const body = node['body'] as SyntaxNode;
  if (body.type === 'BlockStatement') visitBody(walker, body['body'], parameters, inner);
  else walker.visit(body, parameters, inner);
}

/** What has a scope for `var`. */
function visitBody(walker: ScopeWalker, body: unknown, scope: Scope | null, own: Own): void {
  const inner = blockScope(body, scope);
  eachOf(body, (statement) => hoist(statement, inner));
  walker.visitAll(body, inner, own);
}

function visitClass(walker: ScopeWalker, node: SyntaxNode, scope: Scope | null, own: Own): void {
  const inner = newScope(scope);
  if (isNode(node['id'])) declarePattern(node['id'], inner);
  if (isNode(node['superClass'])) walker.visit(node['superClass'], inner, own);
  walker.visit(node['body'] as SyntaxNode, inner, own);
}

function visitMember(walker: ScopeWalker, node: SyntaxNode, scope: Scope | null, own: Own): void {
  if (node['computed'] === true) walker.visit(node['key'] as SyntaxNode, scope, own);
  // The value of a field is evaluated as in a method.
  const isHome = node.type !== 'Property' || node['method'] === true || node['kind'] !== 'init';
  const inner = isHome ? kSuper : own;
  if (isNode(node['value'])) walker.visit(node['value'], scope, inner);
}

function visitSwitch(walker: ScopeWalker, node: SyntaxNode, scope: Scope | null, own: Own): void {
  walker.visit(node['discriminant'] as SyntaxNode, scope, own);
  const inner = newScope(scope);
  eachOf(node['cases'], (one) => declareLexical(one['consequent'], inner));
  walker.visitAll(node['cases'], inner, own);
}

function newScope(outer: Scope | null): Scope {
  return { names: new SafeSet<string>(), outer };
}

function blockScope(statements: unknown, outer: Scope | null): Scope {
  const scope = newScope(outer);
  declareLexical(statements, scope);
  return scope;
}

/** What a block declares for itself. */
function declareLexical(statements: unknown, scope: Scope): void {
  eachOf(statements, (statement) => {
    const { type } = statement;
    if (type === 'VariableDeclaration') {
      if (statement['kind'] !== 'var') declareVariables(statement, scope);
    } else if (type === 'FunctionDeclaration' || type === 'ClassDeclaration') {
      if (isNode(statement['id'])) declarePattern(statement['id'], scope);
    }
  });
}

/** Every `var` in a statement, but not in the functions and classes in it. */
function hoist(node: SyntaxNode, scope: Scope): void {
  if (node.type === 'VariableDeclaration' && node['kind'] === 'var') declareVariables(node, scope);
  const apart =
    node.type === 'ArrowFunctionExpression' ||
    node.type === 'FunctionExpression' ||
    node.type === 'FunctionDeclaration' ||
    node.type === 'ClassDeclaration' ||
    node.type === 'ClassExpression';
  if (!apart) eachPart(node, (part) => hoist(part, scope));
}

function declareVariables(declaration: SyntaxNode, scope: Scope): void {
  eachOf(declaration['declarations'], (one) => declarePattern(one['id'] as SyntaxNode, scope));
}

/** The names that a pattern binds. */
function declarePattern(pattern: SyntaxNode, scope: Scope): void {
  switch (pattern.type) {
    case 'Identifier':
      scope.names.add(pattern['name'] as string);
      break;
    case 'AssignmentPattern':
      declarePattern(pattern['left'] as SyntaxNode, scope);
      break;
    case 'RestElement':
      declarePattern(pattern['argument'] as SyntaxNode, scope);
      break;
    case 'ArrayPattern':
      eachOf(pattern['elements'], (element) => declarePattern(element, scope));
      break;
    case 'ObjectPattern':
      eachOf(pattern['properties'], (one) =>
        declarePattern(one.type === 'Property' ? (one['value'] as SyntaxNode) : one, scope),
      );
      break;
  }
}

function eachPart(node: SyntaxNode, call: (part: SyntaxNode) => void): void {
  const keys = ObjectKeys(node);
  for (let i = 0; i < keys.length; i++) {
    const part = node[keys[i]!];
    if (ArrayIsArray(part)) eachOf(part, call);
    else if (isNode(part)) call(part);
  }
}

/** Of a list with holes, such as the elements of a pattern. */
function eachOf(nodes: unknown, call: (node: SyntaxNode) => void): void {
  const list = nodes as readonly unknown[];
  for (let i = 0; i < list.length; i++) {
    const node = list[i];
    if (isNode(node)) call(node);
  }
}

function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string'
  );
}
