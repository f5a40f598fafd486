/** The words of display ids: 149 adjectives and 164 animals, in lower case. */
// deno-fmt-ignore
export const ADJECTIVES: readonly string[] = [
  "able", "agile", "alert", "amber", "ample", "apt", "arctic", "astute", "autumn", "avid", "azure",
  "balmy", "bold", "brave", "breezy", "bright", "brisk", "bronze", "calm", "candid", "caring",
  "cheery", "chief", "civil", "clear", "clever", "cobalt", "copper", "coral", "cosmic", "cozy",
  "crimson", "crisp", "curious", "dapper", "daring", "deft", "dusky", "eager", "early", "earnest",
  "easy", "elder", "elegant", "ember", "fabled", "fair", "fancy", "fearless", "fleet", "fluent",
  "fond", "frank", "free", "fresh", "frosty", "gentle", "gifted", "glad", "golden", "grand",
  "green", "happy", "hardy", "hazel", "hearty", "honest", "humble", "indigo", "ivory", "jade",
  "jolly", "jovial", "just", "keen", "kind", "lasting", "level", "light", "lilac", "lively",
  "loyal", "lucid", "lucky", "lunar", "mellow", "merry", "mighty", "misty", "modest", "mossy",
  "neat", "nimble", "noble", "olive", "opal", "open", "patient", "peachy", "placid", "plucky",
  "polar", "polite", "prime", "proud", "quick", "quiet", "rapid", "ready", "rosy", "royal", "ruby",
  "rustic", "sage", "sandy", "scarlet", "serene", "sharp", "silent", "silver", "sincere", "sleek",
  "smart", "snowy", "solar", "solid", "spry", "stable", "starry", "steady", "stellar", "sturdy",
  "sunny", "swift", "tidy", "topaz", "tranquil", "trusty", "upbeat", "valiant", "velvet", "violet",
  "vital", "vivid", "warm", "wise", "witty", "young", "zesty",
];

// deno-fmt-ignore
export const ANIMALS: readonly string[] = [
  "albatross", "alpaca", "ant", "antelope", "avocet", "badger", "bat", "beaver", "bee", "beetle",
  "bison", "bluejay", "bobcat", "buffalo", "bunting", "camel", "caribou", "cat", "cheetah",
  "chipmunk", "cobra", "condor", "cormorant", "cougar", "coyote", "crab", "crane", "cricket",
  "crow", "curlew", "deer", "dingo", "dolphin", "dove", "dragonfly", "duck", "eagle", "egret",
  "eland", "elk", "emu", "ermine", "falcon", "ferret", "finch", "firefly", "fox", "frog", "gannet",
  "gazelle", "gecko", "gibbon", "goat", "goose", "gopher", "grouse", "gull", "hamster", "hare",
  "hawk", "hedgehog", "heron", "hornet", "horse", "ibex", "ibis", "iguana", "impala", "jackal",
  "jaguar", "jay", "kestrel", "kingfisher", "kite", "koala", "kudu", "lapwing", "lark", "lemur",
  "leopard", "linnet", "lion", "lizard", "llama", "lobster", "lynx", "macaw", "magpie", "manatee",
  "marmot", "marten", "meerkat", "mole", "mongoose", "moose", "moth", "mouse", "newt", "ocelot",
  "octopus", "orca", "oriole", "osprey", "otter", "owl", "ox", "oyster", "panda", "panther",
  "parrot", "pelican", "penguin", "petrel", "pigeon", "plover", "pony", "porpoise", "puffin",
  "puma", "quail", "rabbit", "raccoon", "raven", "robin", "rook", "salmon", "sandpiper", "seal",
  "serval", "shrew", "skunk", "skylark", "sloth", "snail", "sparrow", "squid", "squirrel",
  "starling", "stoat", "stork", "swallow", "swan", "swift", "tapir", "tern", "thrush", "tiger",
  "toad", "toucan", "trout", "turtle", "viper", "vole", "walrus", "warbler", "wasp", "weasel",
  "whale", "wolf", "wombat", "woodpecker", "wren", "yak", "zebra",
];
