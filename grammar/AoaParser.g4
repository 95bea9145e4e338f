// The structure of rule files. Every decision needs one token of look-ahead, so ANTLR's prediction is never asked; what would
// need more (is `format` a keyword or a tensor here) the lexer has decided by the type that it gave the word. Every child has
// a label: the builders of the AST (compiler/parse/build_*.cpp) never count children.
//
// A line ends in END, which the lexer also puts before the `}` of `{ item }`. Rules that end in END, or head a block, are
// where the parser starts again after a mistake (compiler/parse/error_strategy.cpp).
parser grammar AoaParser;

options { tokenVocab = AoaLexer; }

file : (items += item)* EOF ;

// An expression alone: the `l+3` of `${=l+3}`.
loneExpression : value = expression END EOF ;

// ---------------------------------------------------------------- the file

item
  : family = familyLine
  | imported = importLine
  | dims = dimsBlock
  | side = sideBlock
  | map = mapBlock
  | defaults = defaultBlock
  ;

familyLine : FAMILY name = word END ;

importLine : IMPORT path = STRING END ;

defaultBlock : head = defaultHead LBRACE (ends += defaultEnd | END)* RBRACE END ;
defaultHead : DEFAULT ;
defaultEnd : end = (FROM | TO) side = word path = STRING ;

// ---------------------------------------------------------------- dims

dimsBlock : head = dimsHead LBRACE (equations += equation)* RBRACE END ;
dimsHead : DIMS ;

equation
  : AXIS name = IDENT EQUAL alias = typeAxis END
  | VALUE name = IDENT EQUAL value = expression END
  | name = IDENT sign = (EQUAL | DEFAULT_EQUAL) value = expression END
  ;

// ---------------------------------------------------------------- sides

sideBlock : head = sideHead LBRACE (items += sideItem)* RBRACE END ;
sideHead : SIDE name = word ;

sideItem
  : format = formatLine
  | like = likeLine
  | mesh = meshLine
  | overlay = overlayLine
  | place = placeLine
  | role = roleLine
  | zero = zeroLine
  | config = configBlock
  | remove = removeLine
  | dims = dimsBlock
  | loop = sideFor
  | choice = sideIf
  | tensor = declaration
  ;

formatLine : FORMAT name = word (variant = word)? END ;
likeLine : LIKE name = word END ;
meshLine : MESH axes += word (COMMA axes += word)* END ;
overlayLine : OVERLAY axes += word (COMMA axes += word)* ON over += word (COMMA over += word)* END ;

placeLine : PLACE variable = word ON axis = word (terms += placeTerm)* END ;
placeTerm
  : INTERLEAVE rounds = word
  | BY counts = numbers
  | SURPLUS surplus = word
  | NUMBERED numbered = word
  ;

roleLine
  : STATE role = word pattern = STRING (COLON dtype = word)? END
  | scalar = SCALAR role = word pattern = STRING (COLON dtype = word)? (EQUAL value = expression)? END
  ;

zeroLine : ZERO axis = word BY partition = word END ;

configBlock : head = configHead LBRACE (entries += configEntry | END)* RBRACE END ;
configHead : CONFIG ;
configEntry : key = (KEY | STRING) EQUAL name = word ;

removeLine : REMOVE names += tensorName (COMMA? names += tensorName)* END ;

declaration : tensor = tensorName (type = bracket)? (attributes += declarationAttribute)* END ;
declarationAttribute
  : STORED stored = bracket
  | COLON dtype = word
  | optional = OPTIONAL
  | TIED tied = tensorName
  | BLOCKS OF weight = tensorName sizes = numbers
  | on = ON places += word (COMMA places += word)* (OF axis = word)?
  | replicas = REPLICAS how = word
  | GROUP group = word
  ;

sideFor : head = forHead LBRACE (body += sideItem)* RBRACE END ;
sideIf : head = ifHead then = sideBody (more += sideElseIf)* (ELSE otherwise = sideBody)? END ;
sideElseIf : head = elseIfHead then = sideBody ;
sideBody : LBRACE (items += sideItem)* RBRACE ;

// ---------------------------------------------------------------- maps

mapBlock : head = mapHead LBRACE (items += mapItem)* RBRACE END ;
mapHead : MAP left = word direction = arrow right = word ;

mapItem
  : loop = mapFor
  | choice = mapIf
  | line = statement
  ;

mapFor : head = forHead LBRACE (body += mapItem)* RBRACE END ;
mapIf : head = ifHead then = mapBody (more += mapElseIf)* (ELSE otherwise = mapBody)? END ;
mapElseIf : head = elseIfHead then = mapBody ;
mapBody : LBRACE (items += mapItem)* RBRACE ;

statement : left += operand (COMMA left += operand)* direction = arrow right += operand (COMMA rest += targetOrAttribute)* END ;

targetOrAttribute
  : key = KEY EQUAL value = attributeValue
  | flag = FLAG
  | target = operand
  ;
attributeValue : number = NUMBER | text = NAME | quoted = (STRING | QUOTED_VALUE) ;

operand : tensor = tensorName (type = bracket (STORED stored = bracket)?)? (transposed = TRANSPOSE)? (COLON dtype = word (STORED late = bracket)?)? (optional = OPTIONAL)? ;

// ---------------------------------------------------------------- heads of for and if

forHead : FOR variable = IDENT IN from = expression RANGE to = expression ;
ifHead : IF condition = expression ;
elseIfHead : ELSE_IF condition = expression ;

// ---------------------------------------------------------------- types

// The type of a tensor; in a statement also Paddle's name[a:b], which the builder tells by its only axis `a:b`.
bracket : open = LBRACKET (axes += typeAxis)* close = RBRACKET ;

typeAxis : subject = atom (AT cut = cutAxes)? ;

atom
  : variable = IDENT (COLON extent = NUMBER)?
  | number = NUMBER (COLON last = NUMBER)?
  | unknown = UNKNOWN
  | PAD LPAREN padded = sum COMMA multiple = expression RPAREN
  | LPAREN inner = sum RPAREN
  ;

sum : products += product (PLUS products += product)* ;
product : (factors += typeAxis)+ ;

cutAxes : axes += IDENT (DOT axes += IDENT)* (TILDE rounding = IDENT)? ;

numbers : LBRACKET (values += NUMBER (COMMA? values += NUMBER)*)? RBRACKET ;

// ---------------------------------------------------------------- expressions

// `else` binds least: config.a else h / 2 is config.a, or h / 2 without it.
expression : values += disjunction (OTHERWISE values += disjunction)* ;
disjunction : parts += conjunction (OR parts += conjunction)* ;
conjunction : parts += negation (AND parts += negation)* ;
negation : (nots += NOT)* value = comparison ;
comparison : left = additive (sign = (IS_EQUAL | NOT_EQUAL | LESS | LESS_EQUAL | GREATER | GREATER_EQUAL | IN) right = additive)? ;
additive : terms += multiplicative (signs += (PLUS | MINUS) terms += multiplicative)* ;
multiplicative : factors += factor (signs += (STAR | SLASH | PERCENT) factors += factor)* ;
factor : (minuses += MINUS)* value = primary ;

primary
  : number = NUMBER
  | text = STRING
  | truth = (TRUE | FALSE)
  | key = CONFIG_KEY
  | name = IDENT
  | variable = NUMBER_OF
  | function = FUNCTION LPAREN arguments += expression (COMMA arguments += expression)* RPAREN
  // More than one value side by side is the alias of dims, `n = (g r)`.
  | open = LPAREN first = expression (beside += primary)* RPAREN
  ;

// ---------------------------------------------------------------- words

arrow : both = BOTH | right = RIGHT | left = LEFT ;

tensorName : quoted = STRING | bare = word ;

// Keywords of lines stay words where a name is due.
word
  : text = (NAME | OPTIONAL | TIED | BLOCKS | OF | ON | REPLICAS | GROUP | STORED | INTERLEAVE | BY | SURPLUS | NUMBERED)
  ;
