"""A server with one account, `db`, on a PostgreSQL, and queries to it by way of the bus."""
from .busdoor import BusDoor
from .case import Case
from .postgres import Postgres

MODULES = ("pgsqldb", "busdoor")


class PgsqlCase(Case):
    def jackfield_on(self, database, keys=None, start=True):
        """A server whose account `db` is on that database; `keys` are further ones of the account."""
        account = {**(database.settings if isinstance(database, Postgres) else database), **(keys or {})}
        server = self.server(settings={"pgsqldb": {"db": account}}, modules=MODULES, start=start)
        if start:
            self.door = BusDoor(server)
            self.addCleanup(self.door.close)
        return server

    def query(self, text, values=None, **parameters):
        return self.door.ask("database", {"account": "db", "query": text, **parameters}, values)

    def good(self, text, values=None, **parameters):
        answer = self.query(text, values, **parameters)
        self.assertTrue(answer.handled)
        self.assertIsNone(answer.error, text)
        return answer

    def refused(self, failure, text, values=None, **parameters):
        answer = self.query(text, values, **parameters)
        self.assertTrue(answer.handled)
        self.assertEqual(failure, answer.failure, answer)
        self.assertTrue(answer.error)
        return answer
