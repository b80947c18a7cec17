/** Words of events. None needs escaping in JSON; some are not ASCII, as in life. */
export const GRAPH_KINDS = ["knowledge", "dependency", "workflow", "concept"] as const;
export const NODE_TYPES = ["Concept", "Entity", "Process", "Resource", "Decision"] as const;
export const RELATIONSHIPS = ["relates_to", "depends_on", "contains", "causes", "refines"] as const;
export const STEP_TYPES = ["Manual", "Automated", "Approval", "Integration"] as const;
export const TEAMS = ["intake", "design", "field", "archive", "qualité"] as const;
export const TOPICS = ["harbour", "orchard", "bridge", "signal", "meadow", "foundry", "Straße", "atlas"] as const;
export const GIVEN_NAMES = ["Ada", "Zoë", "Mikuláš", "Noor", "Ines", "Tomasz", "李娜", "Amara"] as const;
export const FAMILY_NAMES = ["Okafor", "Lindqvist", "Ferreira", "Nowak", "Haddad", "Søndergaard", "Brandt"] as const;
export const CITIES = ["Porto", "Malmö", "Leeds", "Graz", "Tartu", "Cork"] as const;
export const STREETS = ["Mill Lane", "Harbour Road", "Lindenweg", "Rua Nova"] as const;
