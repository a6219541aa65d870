-- A registration writes each index that it may change. Nearly all rows are of the same server, so its name found nothing by itself; what
-- is looked for by it are the rows of one connection, or of all, when they end: few rows, and none of a phone on UDP.
DROP INDEX bindings_node;
CREATE INDEX bindings_connection ON bindings (nodename, connection_id) WHERE connection_reliable = 'true';
