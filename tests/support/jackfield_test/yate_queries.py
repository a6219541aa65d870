"""Queries in the shape of Yate's PostgreSQL samples, one row a user with the one place he is at, and a schema for them; and the same said in SQLite's
words."""

SCHEMA = r"""
    CREATE TABLE users (username TEXT PRIMARY KEY, password TEXT, inuse INTEGER DEFAULT 0, location TEXT, expires TIMESTAMP WITH TIME ZONE);
    CREATE TABLE cdr (started TIMESTAMP WITH TIME ZONE, chan TEXT, address TEXT, direction TEXT, billid TEXT, caller TEXT, called TEXT,
                      duration INTERVAL, billtime INTERVAL, ringtime INTERVAL, status TEXT, reason TEXT, ended BOOLEAN);
    INSERT INTO users (username, password) VALUES ('101', 'an old song'), ('102', 'an old song'), ('103', NULL), ('o''ne', 'an old song'),
                      ('back\slash', 'an old song'), ('both''\''', 'an old song')"""

POSTGRES = {
    "user.auth": {"query": "SELECT password FROM users WHERE username='${username}'", "result": "password"},
    "user.register": {"query": "UPDATE users SET location='${data}',expires=CURRENT_TIMESTAMP + INTERVAL '${expires} s' WHERE username='${username}'"},
    "user.unregister": {"query": "UPDATE users SET location=NULL,expires=NULL WHERE expires IS NOT NULL AND username='${username}'"},
    "engine.timer": {"query": "UPDATE users SET location=NULL,expires=NULL WHERE expires IS NOT NULL AND expires<=CURRENT_TIMESTAMP"},
    "call.route": {"query": "SELECT location,(CASE WHEN location IS NULL THEN 'offline' ELSE NULL END) AS error FROM users WHERE username='${called}'",
                   "result": "location"},
    "linetracker": {"initquery": "UPDATE users SET inuse=0 WHERE inuse is not NULL",
                    "cdr_initialize": "UPDATE users SET inuse=inuse+1 WHERE username='${external}'",
                    "cdr_finalize": "UPDATE users SET inuse=(CASE WHEN inuse>0 THEN inuse-1 ELSE 0 END) WHERE username='${external}'"},
    "call.cdr": {"cdr_initialize": "INSERT INTO cdr VALUES(TIMESTAMP WITH TIME ZONE 'EPOCH' + INTERVAL '${time} s','${chan}','${address}','${direction}',"
                                   "'${billid}','${caller}','${called}',INTERVAL '${duration} s',INTERVAL '${billtime} s',INTERVAL '${ringtime} s',"
                                   "'${status}','${reason}',false)",
                 "cdr_finalize": "UPDATE cdr SET address='${address}',direction='${direction}',billid='${billid}',caller='${caller}',called='${called}',"
                                 "duration=INTERVAL '${duration} s',billtime=INTERVAL '${billtime} s',ringtime=INTERVAL '${ringtime} s',"
                                 "status='${status}',reason='${reason}',ended=true WHERE chan='${chan}' AND started=TIMESTAMP WITH TIME ZONE 'EPOCH' + "
                                 "INTERVAL '${time} s'"},
}

SQLITE = {
    **POSTGRES,
    "user.register": {"query": "UPDATE users SET location='${data}',expires=strftime('%s','now')+'${expires}' WHERE username='${username}'"},
    "engine.timer": {"query": "UPDATE users SET location=NULL,expires=NULL WHERE expires IS NOT NULL AND expires<=strftime('%s','now')+0"},
    "call.cdr": {"cdr_initialize": "INSERT INTO cdr VALUES('${time}','${chan}','${address}','${direction}','${billid}','${caller}','${called}',"
                                   "'${duration}','${billtime}','${ringtime}','${status}','${reason}',false)",
                 "cdr_finalize": "UPDATE cdr SET address='${address}',billid='${billid}',caller='${caller}',called='${called}',duration='${duration}',"
                                 "billtime='${billtime}',status='${status}',reason='${reason}',ended=true WHERE chan='${chan}' AND started='${time}'"},
}
